//! The crate `cel` (Common Expression Language) as a peer: programs compiled once, a context for each lead made beforehand.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{anyhow, ensure};
use cel::{Context, Env, Program, Value as Found};
use serde_json::Value;

use super::{Condition, Rule, Test};
use crate::bench::measured::{Latencies, Measured};

/// The rules as programs.
pub(super) struct Cel {
    env: Arc<Env>,
    programs: Vec<Program>,
    leads: Vec<Value>,
}

impl Cel {
    /// Compiles the rules.
    pub(super) fn new(rules: &[Rule], leads: &[Value]) -> anyhow::Result<Self> {
        let env = Arc::new(Env::stdlib());
        let compile = |rule: &Rule| {
            let source = source(rule);
            env.compile(&source).map_err(|error| anyhow!("{source}: {error}"))
        };
        Ok(Self {
            programs: rules.iter().map(compile).collect::<anyhow::Result<_>>()?,
            leads: leads.to_vec(),
            env,
        })
    }

    /// Counts the rules that hold over all leads.
    pub(super) fn count_all(&self) -> anyhow::Result<usize> {
        Ok(self.count_each()?.into_iter().sum())
    }

    /// Counts the rules that hold for each lead.
    pub(super) fn count_each(&self) -> anyhow::Result<Vec<usize>> {
        let contexts = self.contexts()?;
        contexts.iter().map(|context| self.count_matches(context)).collect()
    }

    /// Evaluates all rules over one lead after the other for `span`.
    pub(super) fn evaluate(&self, span: Duration) -> anyhow::Result<Measured> {
        let contexts = self.contexts()?;
        let started = Instant::now();
        let (mut rounds, mut matches) = (0, 0);
        while started.elapsed() < span {
            for context in &contexts {
                matches += self.count_matches(context)?;
                rounds += 1;
            }
        }
        let elapsed = started.elapsed();
        ensure!(matches > 0, "no rule held");
        Ok(Measured {
            per_second: Measured::rate(rounds * self.programs.len(), elapsed),
            latencies: Latencies::default(),
            errors: 0,
        })
    }

    fn count_matches(&self, context: &Context<'_, '_>) -> anyhow::Result<usize> {
        let mut matches = 0;
        for program in &self.programs {
            match program.execute(context) {
                Ok(Found::Bool(holds)) => matches += usize::from(holds),
                other => return Err(anyhow!("a rule results in {other:?}")),
            }
        }
        Ok(matches)
    }

    fn contexts(&self) -> anyhow::Result<Vec<Context<'_, '_>>> {
        self.leads.iter().map(|lead| self.context(lead)).collect()
    }

    fn context(&self, lead: &Value) -> anyhow::Result<Context<'_, '_>> {
        let mut context = Context::with_env(Arc::clone(&self.env));
        for (name, value) in lead.as_object().into_iter().flatten() {
            match (value.as_str(), value.as_i64()) {
                (Some(text), _) => context.add_variable_from_value(name.as_str(), text),
                (_, Some(number)) => context.add_variable_from_value(name.as_str(), number),
                _ => return Err(anyhow!("{name} is neither a text nor a number")),
            }
        }
        Ok(context)
    }
}

/// Writes a rule as CEL has it.
fn source(rule: &Rule) -> String {
    let joined = |rules: &[Rule], word: &str| {
        let parts: Vec<String> = rules.iter().map(source).collect();
        format!("({})", parts.join(word))
    };
    match rule {
        Rule::All { all } => joined(all, " && "),
        Rule::Any { any } => joined(any, " || "),
        // Texts and lists of JSON are those of CEL, too.
        Rule::One(Condition { field, test, value }) => match test {
            Test::Contains => format!("{field}.contains({value})"),
            Test::Is => format!("{field} == {value}"),
            Test::OneOf => format!("{field} in {value}"),
            Test::AtLeast => format!("{field} >= {value}"),
            Test::Below => format!("{field} < {value}"),
        },
    }
}
