//! The formulas of one entity, compiled over one schema, in an order in which each finds what it reads.

use std::collections::BTreeSet;

use reflex_expr::{Context, Error, Facts, Program, Schema, Slot, Value};

use super::graph::Graph;
use super::names::{Names, Record, Source};
use super::{Entity, Outcome, kept};

/// How the fields of one entity are calculated.
#[derive(Debug, Clone, Default)]
pub(super) struct Plan(Option<Compiled>);

#[derive(Debug, Clone)]
struct Compiled {
    schema: Schema,
    /// What is there before anything is calculated.
    inputs: Vec<(Slot, Source)>,
    steps: Vec<Step>,
    count: usize,
}

#[derive(Debug, Clone)]
struct Step {
    place: usize,
    program: Result<Program, Error>,
    /// Where others find the value.
    slots: Vec<Slot>,
}

impl Plan {
    pub(super) fn new(entity: Entity, names: &Names) -> Self {
        let definitions = names.definitions(entity);
        if definitions.is_empty() {
            return Self(None);
        }
        let read: BTreeSet<String> = definitions.iter().flat_map(super::Definition::reads).collect();
        let schema = names.used_schema(entity, &read);
        let mut inputs = Vec::new();
        let mut slots: Vec<Vec<Slot>> = vec![Vec::new(); definitions.len()];
        for name in &read {
            let (Some((slot, _)), Some((source, _))) = (schema.find(name), names.resolve(entity, name)) else {
                continue;
            };
            match source.calculated() {
                Some((of, place)) if of == entity => slots[place].push(slot),
                _ => inputs.push((slot, source)),
            }
        }
        let step = |place: usize| Step {
            place,
            program: Program::compile(&definitions[place].formula, &schema),
            slots: std::mem::take(&mut slots[place]),
        };
        let steps = Graph::new(names, entity).order().into_iter().map(step).collect();
        Self(Some(Compiled {
            schema,
            inputs,
            steps,
            count: definitions.len(),
        }))
    }

    /// Tells whether a formula reads anything of an account but its key.
    pub(super) fn reads_accounts(&self) -> bool {
        let inputs = self.0.iter().flat_map(|compiled| &compiled.inputs);
        inputs.into_iter().any(|(_, source)| source.needs_account())
    }

    /// Returns what one evaluation of all formulas costs.
    pub(super) fn cost(&self) -> u32 {
        let steps = self.0.iter().flat_map(|compiled| &compiled.steps);
        steps
            .filter_map(|step| step.program.as_ref().ok())
            .map(Program::cost)
            .sum()
    }

    /// Calculates every field, by place.
    pub(super) fn evaluate(&self, record: &Record<'_>, context: &Context) -> Vec<Outcome> {
        let Some(compiled) = &self.0 else { return Vec::new() };
        let mut facts = Facts::new(&compiled.schema);
        for (slot, source) in &compiled.inputs {
            // What does not fit stays blank: one odd record must not stop those behind it.
            let _ = facts.set_slot(*slot, source.read(record));
        }
        // A field of a circle, which none that was accepted is part of, is blank.
        let mut outcomes = vec![Ok(Value::Blank); compiled.count];
        for step in &compiled.steps {
            let outcome = match &step.program {
                Ok(program) => program.evaluate(&facts, context).map_err(Error::from).and_then(kept),
                Err(error) => Err(error.clone()),
            };
            for slot in &step.slots {
                let _ = facts.set_slot(*slot, outcome.clone().unwrap_or(Value::Blank));
            }
            outcomes[step.place] = outcome;
        }
        outcomes
    }
}
