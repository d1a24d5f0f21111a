//! Calculated fields: what formulas make of a lead or an account.
//!
//! Belongs here: what a definition may read ([`Names`]), whether it is sound beside the others ([`check`]), its values for a
//! record ([`CalculatedFields::of_lead`]), and where they stand in an ordered list ([`sort_key`]). A lead's formulas may read
//! its account, never the other way round, so values of accounts come first.

pub mod check;
mod graph;
mod names;
mod plan;
pub mod sort_key;

use std::collections::BTreeSet;

use jiff::Timestamp;
use reflex_expr::ast::{Expr, Node};
use reflex_expr::{Context, Error, Failure, Lang, Problem, Type, Value, formula};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::account::Account;
use super::assign::LeadFacts;
use super::ids::CalculatedFieldId;

pub use names::Names;
pub(super) use names::{Record, Source};
use plan::Plan;

/// Longest value that is kept.
const MAX_TEXT_CHARACTERS: usize = 2000;

/// What fields belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Entity {
    /// A lead.
    Lead,
    /// An account.
    Account,
}

impl Entity {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Lead, Self::Account];

    /// Returns the word tables use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lead => "lead",
            Self::Account => "account",
        }
    }

    /// Returns the entity a word stands for.
    #[must_use]
    pub fn find(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|entity| entity.as_str() == word)
    }
}

/// A field as a tenant defined it.
#[derive(Debug, Clone)]
pub struct Definition {
    /// What tables call it; never given again.
    pub key: i64,
    /// What the tenant calls the resource.
    pub id: CalculatedFieldId,
    /// From 1.
    pub version: i32,
    /// Whose field it is.
    pub entity: Entity,
    /// What formulas call it.
    pub field_name: String,
    /// What else they call it; may be empty.
    pub alias: String,
    /// As it was typed.
    pub formula: String,
    /// What it results in.
    pub kind: Type,
}

impl Definition {
    /// Returns how messages name it: `工艺匹配度 (calculatedFields/process-match)`.
    #[must_use]
    pub fn label(&self) -> String {
        format!("{} ({})", self.field_name, self.id)
    }

    fn is_called(&self, name: &str) -> bool {
        self.field_name == name || (!self.alias.is_empty() && self.alias == name)
    }

    /// Lists the names its formula reads; none if it cannot be read.
    fn reads(&self) -> BTreeSet<String> {
        formula::parse(&self.formula).map_or_else(|_| BTreeSet::new(), |expr| read_names(&expr))
    }
}

/// Lists the names an expression reads.
#[must_use]
pub fn read_names(expr: &Expr) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect(expr, &mut found);
    found
}

fn collect(expr: &Expr, found: &mut BTreeSet<String>) {
    if let Node::Field(name) = &expr.node {
        found.insert(name.clone());
    }
    for part in expr.parts() {
        collect(part, found);
    }
}

/// What a field is for one record.
pub type Outcome = Result<Value<'static>, Error>;

/// The calculated fields of a tenant, ready to be evaluated.
#[derive(Debug, Clone, Default)]
pub struct CalculatedFields {
    names: Names,
    lead: Plan,
    account: Plan,
}

impl CalculatedFields {
    /// Compiles definitions; `attributes` are the names of attributes that accounts have.
    #[must_use]
    pub fn new(definitions: Vec<Definition>, attributes: BTreeSet<String>) -> Self {
        Self::of_names(Names::new(definitions, attributes))
    }

    /// Compiles the definitions among these names.
    #[must_use]
    pub fn of_names(names: Names) -> Self {
        Self {
            lead: Plan::new(Entity::Lead, &names),
            account: Plan::new(Entity::Account, &names),
            names,
        }
    }

    /// Returns what formulas and conditions may read.
    #[must_use]
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// Lists the fields of an entity; their places are those of the values.
    #[must_use]
    pub fn definitions(&self, entity: Entity) -> &[Definition] {
        self.names.definitions(entity)
    }

    fn plan(&self, entity: Entity) -> &Plan {
        match entity {
            Entity::Lead => &self.lead,
            Entity::Account => &self.account,
        }
    }

    /// Tells whether there are no fields at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.all().next().is_none()
    }

    /// Tells whether the values of leads depend on their accounts.
    #[must_use]
    pub fn leads_read_accounts(&self) -> bool {
        self.lead.reads_accounts()
    }

    /// Calculates the fields of an account, in the order of [`Self::definitions`].
    #[must_use]
    pub fn of_account(&self, account: &Account, context: &Context) -> Vec<Outcome> {
        self.account.evaluate(&Record::of_account(account), context)
    }

    /// Calculates the fields of a lead, of which the account's values are known, in the order of [`Self::definitions`].
    #[must_use]
    pub fn of_lead(&self, lead: &LeadFacts, context: &Context) -> Vec<Outcome> {
        // No formula of a field may read how long a lead waits: the instant counts for nothing.
        self.lead
            .evaluate(&Record::of_lead(lead, Timestamp::UNIX_EPOCH), context)
    }

    /// Puts into a lead what its account and the formulas make of it, and returns the outcomes of its own fields.
    pub fn complete(&self, lead: &mut LeadFacts, context: &Context) -> Vec<Outcome> {
        if let Some(account) = &lead.details.customer {
            lead.details.customer_values = values(&self.of_account(account, context));
        }
        let outcomes = self.of_lead(lead, context);
        lead.details.values = values(&outcomes);
        outcomes
    }
}

/// What a field gives for one record, and what it read.
#[derive(Debug, Clone)]
pub struct Previewed {
    /// The value.
    pub outcome: Outcome,
    /// What the formula read, by the names it uses.
    pub inputs: Vec<(String, Value<'static>)>,
}

impl CalculatedFields {
    /// Calculates one field for a lead.
    #[must_use]
    pub fn preview_lead(&self, key: i64, mut lead: LeadFacts, context: &Context) -> Option<Previewed> {
        let outcomes = self.complete(&mut lead, context);
        self.previewed(
            Entity::Lead,
            key,
            &outcomes,
            &Record::of_lead(&lead, Timestamp::UNIX_EPOCH),
        )
    }

    /// Calculates one field for an account.
    #[must_use]
    pub fn preview_account(&self, key: i64, account: &Account, context: &Context) -> Option<Previewed> {
        let outcomes = self.of_account(account, context);
        let values = values(&outcomes);
        let record = Record {
            account_values: &values,
            ..Record::of_account(account)
        };
        self.previewed(Entity::Account, key, &outcomes, &record)
    }

    fn previewed(&self, entity: Entity, key: i64, outcomes: &[Outcome], record: &Record<'_>) -> Option<Previewed> {
        let definitions = self.definitions(entity);
        let place = definitions.iter().position(|definition| definition.key == key)?;
        let read = definitions[place].reads().into_iter();
        let inputs = read.filter_map(|name| {
            let (source, _) = self.names.resolve(entity, &name)?;
            Some((name, source.read(record).into_owned()))
        });
        Some(Previewed {
            outcome: outcomes.get(place)?.clone(),
            inputs: inputs.collect(),
        })
    }
}

/// Writes outcomes as they are stored with their record: values by name, and an object with the reason where there is none.
#[must_use]
pub fn to_json(definitions: &[Definition], outcomes: &[Outcome]) -> Json {
    let pairs = definitions.iter().zip(outcomes).map(|(definition, outcome)| {
        let json = match outcome {
            Ok(value) => value.to_json(),
            Err(error) => json!({"zh": error.text(Lang::Zh), "en": error.text(Lang::En)}),
        };
        (definition.field_name.clone(), json)
    });
    Json::Object(pairs.collect())
}

/// Returns the values, where a failed one is blank.
fn values(outcomes: &[Outcome]) -> Vec<Value<'static>> {
    outcomes
        .iter()
        .map(|outcome| outcome.clone().unwrap_or(Value::Blank))
        .collect()
}

/// Refuses a value that is too long to be kept.
fn kept(value: Value<'_>) -> Outcome {
    match &value {
        Value::Text(text) if text.chars().nth(MAX_TEXT_CHARACTERS).is_some() => Err(Error {
            problem: Problem::Failed(Failure::TooMuchData),
            span: reflex_expr::Span::default(),
        }),
        _ => Ok(value.into_owned()),
    }
}

#[cfg(test)]
mod tests;
