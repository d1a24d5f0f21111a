//! The schema: which facts there are, of which types and with which options.

use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::{Deserialize, Serialize};

use crate::{limits, names};

/// The type of a fact or of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Type {
    Bool,
    Number,
    Text,
    /// A day of the calendar.
    Date,
    /// An instant.
    Time,
    /// Several values, such as a field of which one may choose more than one option.
    List(Item),
}

/// What a list may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Item {
    Text,
    Number,
    Date,
}

impl From<Item> for Type {
    fn from(item: Item) -> Self {
        match item {
            Item::Text => Type::Text,
            Item::Number => Type::Number,
            Item::Date => Type::Date,
        }
    }
}

impl Type {
    const NAMED: [(Self, &'static str); 8] = [
        (Self::Bool, "bool"),
        (Self::Number, "number"),
        (Self::Text, "text"),
        (Self::Date, "date"),
        (Self::Time, "time"),
        (Self::List(Item::Text), "text[]"),
        (Self::List(Item::Number), "number[]"),
        (Self::List(Item::Date), "date[]"),
    ];

    /// Returns its name in a schema file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Number => "number",
            Self::Text => "text",
            Self::Date => "date",
            Self::Time => "time",
            Self::List(Item::Text) => "text[]",
            Self::List(Item::Number) => "number[]",
            Self::List(Item::Date) => "date[]",
        }
    }
}

impl From<Type> for String {
    fn from(kind: Type) -> Self {
        kind.name().to_owned()
    }
}

impl TryFrom<String> for Type {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let found = Self::NAMED.iter().find(|(_, known)| *known == name);
        found.map(|(kind, _)| *kind).ok_or_else(|| {
            let known: Vec<_> = Self::NAMED.iter().map(|(_, known)| *known).collect();
            format!("unknown type '{name}', expected one of {}", known.join(", "))
        })
    }
}

/// A fact that expressions may read.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// The full name, its parts joined by dots: `客户.设备型号`.
    pub name: String,
    #[serde(rename = "type")]
    pub kind: Type,
    /// What screens call it, where that is not the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The only values a text, or an item of a text list, may have; any if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
}

impl Field {
    /// Makes a field that has a name and a type only.
    #[must_use]
    pub fn new(name: impl Into<String>, kind: Type) -> Self {
        Self {
            name: name.into(),
            kind,
            title: None,
            options: Vec::new(),
        }
    }

    /// Closes the field to these values.
    #[must_use]
    pub fn with_options<S: Into<String>>(mut self, options: impl IntoIterator<Item = S>) -> Self {
        self.options = options.into_iter().map(Into::into).collect();
        self
    }
}

/// The place of a field among the facts of one schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub(crate) u32);

/// The fields that expressions may read. As JSON: `{"fields": [{"name": "客户.等级", "type": "text", "options": ["A"]}]}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
pub struct Schema {
    fields: Vec<Field>,
    slots: HashMap<String, Slot>,
    fingerprint: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    fields: Vec<Field>,
}

/// A schema that contradicts itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    #[error("more than {} fields", limits::FIELDS)]
    TooManyFields,
    #[error(
        "field '{0}': a name has 1 to {limit} bytes, its parts are separated by dots, and brackets and line ends are not part of it",
        limit = limits::NAME_BYTES
    )]
    Name(String),
    #[error("field '{0}' is there twice")]
    Duplicate(String),
    #[error("field '{0}': options are for texts and lists of texts only, and each may be given once")]
    Options(String),
}

impl Schema {
    /// Makes a schema of these fields.
    ///
    /// # Errors
    ///
    /// Fails on a name that cannot be written in a formula or is there twice, and on options that make no sense.
    pub fn new(fields: Vec<Field>) -> Result<Self, SchemaError> {
        if fields.len() > limits::FIELDS {
            return Err(SchemaError::TooManyFields);
        }
        let mut slots = HashMap::with_capacity(fields.len());
        let mut hasher = DefaultHasher::new();
        for (slot, field) in (0..).map(Slot).zip(&fields) {
            let name = names::fold(&field.name);
            let proper_part =
                |part: &str| !part.is_empty() && part.trim() == part && !part.contains(forbidden_in_names);
            if name.len() > limits::NAME_BYTES || !name.split('.').all(proper_part) {
                return Err(SchemaError::Name(field.name.clone()));
            }
            let takes_options = matches!(field.kind, Type::Text | Type::List(Item::Text));
            let repeated = field
                .options
                .iter()
                .enumerate()
                .any(|(at, option)| field.options[..at].contains(option));
            if !field.options.is_empty() && (!takes_options || repeated) {
                return Err(SchemaError::Options(field.name.clone()));
            }
            (&name, field.kind, &field.options).hash(&mut hasher);
            if slots.insert(name, slot).is_some() {
                return Err(SchemaError::Duplicate(field.name.clone()));
            }
        }
        Ok(Self {
            fields,
            slots,
            fingerprint: hasher.finish(),
        })
    }

    /// Finds a field by its full name; full-width letters and dots are the narrow ones.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<(Slot, &Field)> {
        let slot = self.slots.get(name).or_else(|| self.slots.get(&names::fold(name)))?;
        Some((*slot, self.field(*slot)?))
    }

    /// Returns the field at a slot; `None` for a slot of a longer schema.
    #[must_use]
    pub fn field(&self, slot: Slot) -> Option<&Field> {
        self.fields.get(slot.0 as usize)
    }

    /// Lists the fields in their order.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// Finds the field that a misspelt name most likely meant: by its name, or else by its title.
    #[must_use]
    pub fn nearest(&self, name: &str) -> Option<&str> {
        let name = names::fold(name);
        let titled = self.fields.iter().find(|field| field.title.as_deref() == Some(&name));
        let near = || names::nearest(&name, self.fields.iter().map(|field| field.name.as_str()));
        titled.map(|field| field.name.as_str()).or_else(near)
    }

    /// Returns a number that differs where names, types or options do: programs and facts must agree in it.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.fingerprint
    }
}

fn forbidden_in_names(character: char) -> bool {
    matches!(character, '[' | ']') || character.is_control()
}

impl TryFrom<Fields> for Schema {
    type Error = SchemaError;

    fn try_from(fields: Fields) -> Result<Self, SchemaError> {
        Self::new(fields.fields)
    }
}

impl From<Schema> for Fields {
    fn from(schema: Schema) -> Self {
        Self { fields: schema.fields }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schema_is_read_and_written() {
        let json = json!({"fields": [
            {"name": "客户.设备型号", "type": "text", "title": "设备型号"},
            {"name": "客户.等级", "type": "text", "options": ["A", "B"]},
            {"name": "标签", "type": "text[]"},
        ]});
        let schema: Schema = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(serde_json::to_value(&schema).unwrap(), json);
        assert_eq!(schema.find("客户．等级").unwrap().1.options, ["A", "B"]);
        assert!(schema.find("等级").is_none());
        assert_eq!(schema.nearest("等级"), Some("客户.等级"));
        assert_eq!(schema.nearest("设备型号"), Some("客户.设备型号"));
    }

    #[test]
    fn every_name_and_type_survives() {
        for (kind, name) in Type::NAMED {
            assert_eq!(kind.name(), name);
            assert_eq!(Type::try_from(name.to_owned()), Ok(kind));
        }
        assert!(Type::try_from("texts".to_owned()).unwrap_err().contains("text[]"));
    }

    #[test]
    fn a_contradictory_schema_is_refused() {
        let text = |name: &str| Field::new(name, Type::Text);
        for name in ["", ".", "a.", "a..b", " a", "a\n", "a]", &"长".repeat(200)] {
            assert_eq!(
                Schema::new(vec![text(name)]).unwrap_err(),
                SchemaError::Name(name.to_owned())
            );
        }
        let twice = Schema::new(vec![text("A"), text("Ａ")]);
        assert_eq!(twice.unwrap_err(), SchemaError::Duplicate("Ａ".to_owned()));
        let number = Schema::new(vec![Field::new("n", Type::Number).with_options(["1"])]);
        assert_eq!(number.unwrap_err(), SchemaError::Options("n".to_owned()));
        let repeated = Schema::new(vec![text("n").with_options(["1", "1"])]);
        assert_eq!(repeated.unwrap_err(), SchemaError::Options("n".to_owned()));
    }

    #[test]
    fn fingerprints_differ_with_what_programs_rely_on() {
        let of = |fields| Schema::new(fields).unwrap().fingerprint();
        let plain = of(vec![Field::new("a", Type::Text)]);
        assert_eq!(
            plain,
            of(vec![Field {
                title: Some("甲".into()),
                ..Field::new("a", Type::Text)
            }])
        );
        assert_ne!(plain, of(vec![Field::new("a", Type::Number)]));
        assert_ne!(plain, of(vec![Field::new("b", Type::Text)]));
        assert_ne!(plain, of(vec![Field::new("a", Type::Text).with_options(["x"])]));
    }
}
