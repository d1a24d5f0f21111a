//! What a formula may read: which name means what, and of which type that is.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use reflex_expr::{Field, Schema, Type, Value, fold};

use super::{Definition, Entity};
use crate::domain::account::{Account, MAX_NAME_CHARACTERS};
use crate::domain::assign::LeadFacts;
use crate::domain::lead_fields::{self, Read};

/// What the names of attributes start with.
const ATTRIBUTES: [&str; 2] = ["属性.", "attributes."];
/// What the names of an account's fields start with.
const ACCOUNT: [&str; 2] = ["客户.", "account."];
const ACCOUNT_KEY: [&str; 2] = ["客户", "account"];
const ACCOUNT_NAME: [&str; 2] = ["名称", "name"];
/// Most attributes of leads that the expressions of one schema may read, each name counted once.
const MAX_LEAD_ATTRIBUTES: usize = 1000;

/// Where a fact is read.
#[derive(Debug, Clone)]
pub(in crate::domain) enum Source {
    /// A stored field of the lead.
    Lead(Read),
    /// An attribute of the lead, its name folded.
    LeadAttribute(String),
    /// A calculated field of the lead, by its place.
    LeadValue(usize),
    /// The account's key.
    AccountKey,
    /// The account's display name.
    AccountName,
    /// An attribute of the account.
    AccountAttribute(String),
    /// A calculated field of the account, by its place.
    AccountValue(usize),
}

impl Source {
    /// Returns the calculated field it is.
    pub(in crate::domain) fn calculated(&self) -> Option<(Entity, usize)> {
        match self {
            Self::LeadValue(place) => Some((Entity::Lead, *place)),
            Self::AccountValue(place) => Some((Entity::Account, *place)),
            _ => None,
        }
    }

    /// Tells whether the account has to be known for it, not only its key.
    pub(in crate::domain) fn needs_account(&self) -> bool {
        matches!(
            self,
            Self::AccountName | Self::AccountAttribute(_) | Self::AccountValue(_)
        )
    }

    /// Reads the fact.
    pub(in crate::domain) fn read<'a>(&self, record: &Record<'a>) -> Value<'a> {
        let text = |text: Option<&'a str>| text.filter(|text| !text.is_empty()).map_or(Value::Blank, Into::into);
        let value = |values: &'a [Value<'static>], place: usize| values.get(place).cloned().unwrap_or(Value::Blank);
        match self {
            Self::Lead(read) => record.lead.map_or(Value::Blank, |lead| read(lead, record.now)),
            Self::LeadAttribute(name) => text(record.lead.and_then(|lead| {
                let attributes = &lead.details.attributes;
                let folded = || {
                    attributes
                        .iter()
                        .find(|(typed, _)| fold(typed) == *name)
                        .map(|(_, it)| it)
                };
                attributes.get(name).or_else(folded).map(String::as_str)
            })),
            Self::LeadValue(place) => value(record.values, *place),
            Self::AccountKey => text(Some(record.account_key)),
            Self::AccountName => text(record.account.map(|account| account.display_name.as_str())),
            Self::AccountAttribute(name) => text(
                record
                    .account
                    .and_then(|account| account.attributes.get(name))
                    .map(String::as_str),
            ),
            Self::AccountValue(place) => value(record.account_values, *place),
        }
    }
}

/// What facts are read from.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::domain) struct Record<'a> {
    pub(super) lead: Option<&'a LeadFacts>,
    pub(super) now: Timestamp,
    pub(super) account_key: &'a str,
    pub(super) account: Option<&'a Account>,
    pub(super) account_values: &'a [Value<'static>],
    pub(super) values: &'a [Value<'static>],
}

impl<'a> Record<'a> {
    /// Takes an account of which nothing is calculated yet.
    pub(super) fn of_account(account: &'a Account) -> Self {
        Self {
            account_key: account.id.key(),
            account: Some(account),
            ..Self::default()
        }
    }

    /// Takes a lead with what its details know of its account and values.
    pub(in crate::domain) fn of_lead(lead: &'a LeadFacts, now: Timestamp) -> Self {
        Self {
            lead: Some(lead),
            now,
            account_key: &lead.account,
            account: lead.details.customer.as_deref(),
            account_values: &lead.details.customer_values,
            values: &lead.details.values,
        }
    }
}

/// The names that formulas may read.
#[derive(Debug, Clone, Default)]
pub struct Names {
    lead: Vec<Definition>,
    account: Vec<Definition>,
    /// Of accounts, by their folded form.
    attributes: BTreeMap<String, String>,
}

impl Names {
    /// Gathers names; `attributes` are those of accounts.
    #[must_use]
    pub fn new(definitions: Vec<Definition>, attributes: BTreeSet<String>) -> Self {
        let (lead, account) = definitions
            .into_iter()
            .partition(|definition| definition.entity == Entity::Lead);
        Self {
            lead,
            account,
            attributes: attributes.into_iter().map(|name| (fold(&name), name)).collect(),
        }
    }

    /// Lists the fields of an entity.
    #[must_use]
    pub fn definitions(&self, entity: Entity) -> &[Definition] {
        match entity {
            Entity::Lead => &self.lead,
            Entity::Account => &self.account,
        }
    }

    /// Lists all fields.
    pub fn all(&self) -> impl Iterator<Item = &Definition> {
        self.lead.iter().chain(&self.account)
    }

    /// Returns the names in which a definition takes the place of the one it replaces, if there is one.
    #[must_use]
    pub fn with(&self, definition: Definition) -> Self {
        let mut names = self.without(definition.key);
        match definition.entity {
            Entity::Lead => names.lead.push(definition),
            Entity::Account => names.account.push(definition),
        }
        names
    }

    /// Returns the names without those of a field.
    #[must_use]
    pub fn without(&self, key: i64) -> Self {
        let mut names = self.clone();
        names.lead.retain(|definition| definition.key != key);
        names.account.retain(|definition| definition.key != key);
        names
    }

    /// Tells whether some account has an attribute of this name.
    #[must_use]
    pub fn has_attribute(&self, name: &str) -> bool {
        self.attributes.contains_key(&fold(name))
    }

    /// Counts the names of attributes of accounts.
    #[must_use]
    pub fn attribute_count(&self) -> usize {
        self.attributes.len()
    }

    /// Tells whether a name is one of a stored field of the entity, or starts what only they have.
    #[must_use]
    pub fn is_stored(entity: Entity, name: &str) -> bool {
        let starts = |prefixes: [&str; 2]| prefixes.iter().any(|prefix| prefix.trim_end_matches('.') == name);
        let own = match entity {
            Entity::Lead => lead_fields::find(name).is_some(),
            Entity::Account => ACCOUNT_NAME.contains(&name),
        };
        own || starts(ATTRIBUTES) || starts(ACCOUNT)
    }

    /// Returns what a folded name means to the expressions of an entity.
    pub(in crate::domain) fn resolve(&self, entity: Entity, name: &str) -> Option<(Source, Type)> {
        match entity {
            Entity::Lead => {
                if let Some((_, kind, read)) = lead_fields::find(name) {
                    return Some((Source::Lead(*read), *kind));
                }
                if let Some(attribute) = stripped(name, ATTRIBUTES) {
                    let fits = attribute.chars().count() <= MAX_NAME_CHARACTERS;
                    return fits.then(|| (Source::LeadAttribute(attribute.to_owned()), Type::Text));
                }
                let own = place(&self.lead, name).map(|(place, kind)| (Source::LeadValue(place), kind));
                own.or_else(|| self.account_fact(stripped(name, ACCOUNT)?, true))
            }
            Entity::Account if ACCOUNT_KEY.contains(&name) => Some((Source::AccountKey, Type::Text)),
            Entity::Account => match stripped(name, ACCOUNT) {
                Some(rest) => self.account_fact(rest, true),
                None => self.account_fact(name, false),
            },
        }
    }

    fn account_fact(&self, name: &str, attributes_too: bool) -> Option<(Source, Type)> {
        if ACCOUNT_NAME.contains(&name) {
            return Some((Source::AccountName, Type::Text));
        }
        if let Some((place, kind)) = place(&self.account, name) {
            return Some((Source::AccountValue(place), kind));
        }
        let attribute = match stripped(name, ATTRIBUTES) {
            Some(attribute) => attribute,
            None if attributes_too => name,
            None => return None,
        };
        let known = self.attributes.get(attribute)?;
        Some((Source::AccountAttribute(known.clone()), Type::Text))
    }

    /// Makes the schema of expressions: the stored fields, and of everything else what they read.
    pub(in crate::domain) fn used_schema(&self, entity: Entity, read: &BTreeSet<String>) -> Schema {
        Self::schema(Self::stored(entity).chain(self.used(entity, read)))
    }

    /// Makes the schema of everything that expressions could have meant, for telling what is nearest to a misspelt name.
    pub(in crate::domain) fn known_schema(&self, entity: Entity, read: &BTreeSet<String>) -> Schema {
        let own = Self::calculated("", self.definitions(entity));
        let of_accounts = ACCOUNT.into_iter().flat_map(|prefix| {
            let text = move |name: &str| Field::new(format!("{prefix}{name}"), Type::Text);
            let stored = ACCOUNT_NAME.into_iter().map(text);
            let attributes = self.attributes.keys().map(move |name| text(name));
            stored.chain(Self::calculated(prefix, &self.account)).chain(attributes)
        });
        let used = self.used(entity, read);
        Self::schema(Self::stored(entity).chain(own).chain(of_accounts).chain(used))
    }

    fn calculated(prefix: &'static str, definitions: &[Definition]) -> impl Iterator<Item = Field> {
        definitions.iter().flat_map(move |definition| {
            let called = [&definition.field_name, &definition.alias].into_iter();
            let called = called.filter(|name| !name.is_empty());
            called.map(move |name| Field::new(format!("{prefix}{name}"), definition.kind))
        })
    }

    fn stored(entity: Entity) -> impl Iterator<Item = Field> {
        let lead = lead_fields::FIELDS.iter().filter(move |_| entity == Entity::Lead);
        let account = ACCOUNT_KEY.into_iter().chain(ACCOUNT_NAME);
        let account = account.filter(move |_| entity == Entity::Account);
        lead.map(lead_fields::described)
            .chain(account.map(|name| Field::new(name, Type::Text)))
    }

    fn used<'a>(&'a self, entity: Entity, read: &'a BTreeSet<String>) -> impl Iterator<Item = Field> + 'a {
        let mut attributes = 0;
        read.iter().filter_map(move |name| {
            let (source, kind) = self.resolve(entity, name)?;
            attributes += usize::from(matches!(source, Source::LeadAttribute(_)));
            (attributes <= MAX_LEAD_ATTRIBUTES).then(|| Field::new(name, kind))
        })
    }

    fn schema(fields: impl Iterator<Item = Field>) -> Schema {
        let mut seen = BTreeSet::new();
        // One by one, so that a name no schema can have costs itself only.
        let proper = |field: &Field| Schema::new(vec![field.clone()]).is_ok();
        let fields: Vec<Field> = fields
            .filter(|field| seen.insert(fold(&field.name)) && proper(field))
            .collect();
        Schema::new(fields).unwrap_or_else(|_| Schema::new(Vec::new()).expect("nothing contradicts itself"))
    }
}

fn stripped<'a>(name: &'a str, prefixes: [&str; 2]) -> Option<&'a str> {
    prefixes.iter().find_map(|prefix| name.strip_prefix(prefix))
}

fn place(definitions: &[Definition], name: &str) -> Option<(usize, Type)> {
    let place = definitions.iter().position(|definition| definition.is_called(name))?;
    Some((place, definitions[place].kind))
}
