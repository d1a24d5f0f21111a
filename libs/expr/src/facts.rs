//! The facts about one record, in the order of its schema, and the circumstances of an evaluation.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Map, Value as Json};

use crate::{Field, Schema, Slot, Type, Value, limits, names};

/// What is known about one record. What was not set is blank.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    schema: &'a Schema,
    values: Vec<Value<'a>>,
}

/// A fact that does not fit the schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FactError {
    #[error("there is no field '{name}'{}", suggestion.as_ref().map(|near| format!(", did you mean '{near}'?")).unwrap_or_default())]
    UnknownField { name: String, suggestion: Option<String> },
    #[error("field '{name}' is of type {expected}, this is not: {found}")]
    WrongType {
        name: String,
        expected: Type,
        found: String,
    },
    #[error("field '{name}' has no option '{found}'")]
    UnknownOption { name: String, found: String },
    #[error(
        "field '{name}' has a value of more than {} bytes or {} items",
        limits::FACT_BYTES,
        limits::FACT_ITEMS
    )]
    TooLarge { name: String },
    #[error("facts are a JSON object")]
    NotAnObject,
}

impl<'a> Facts<'a> {
    /// Starts with nothing known.
    #[must_use]
    pub fn new(schema: &'a Schema) -> Self {
        Self {
            schema,
            values: vec![Value::Blank; schema.fields().len()],
        }
    }

    /// Sets a fact by its name.
    ///
    /// # Errors
    ///
    /// Fails if there is no such field, or its type, options or limits forbid the value.
    pub fn set(&mut self, name: &str, value: Value<'a>) -> Result<(), FactError> {
        let Some((slot, _)) = self.schema.find(name) else {
            let suggestion = self.schema.nearest(name).map(str::to_owned);
            return Err(FactError::UnknownField {
                name: name.to_owned(),
                suggestion,
            });
        };
        self.set_slot(slot, value)
    }

    /// Sets a fact by its slot, which is quicker than by name for many records of one schema.
    ///
    /// # Errors
    ///
    /// As [`Self::set`].
    pub fn set_slot(&mut self, slot: Slot, value: Value<'a>) -> Result<(), FactError> {
        let (Some(field), Some(place)) = (self.schema.field(slot), self.values.get_mut(slot.0 as usize)) else {
            return Err(FactError::UnknownField {
                name: format!("#{}", slot.0),
                suggestion: None,
            });
        };
        admit(field, &value)?;
        *place = value;
        Ok(())
    }

    /// Reads facts from a JSON object whose keys are full names, or parts of names with an object below.
    ///
    /// # Errors
    ///
    /// As [`Self::set`], for the first fact that does not fit.
    pub fn from_json(schema: &'a Schema, json: &Json) -> Result<Self, FactError> {
        let mut facts = Self::new(schema);
        facts.read("", json.as_object().ok_or(FactError::NotAnObject)?, 0)?;
        Ok(facts)
    }

    fn read(&mut self, prefix: &str, object: &Map<String, Json>, depth: usize) -> Result<(), FactError> {
        for (key, json) in object {
            let name = if prefix.is_empty() {
                key.clone()
            } else {
                format!("{prefix}.{key}")
            };
            match (self.schema.find(&name), json) {
                (Some((slot, field)), json) => {
                    let value =
                        Value::from_json(json, field.kind).ok_or_else(|| wrong_type(field, json.to_string()))?;
                    self.set_slot(slot, value)?;
                }
                (None, Json::Object(inner)) if depth < limits::DEPTH => self.read(&name, inner, depth + 1)?,
                (None, _) => {
                    let suggestion = self.schema.nearest(&name).map(str::to_owned);
                    return Err(FactError::UnknownField { name, suggestion });
                }
            }
        }
        Ok(())
    }

    /// Returns a fact; blank for a slot of another schema.
    #[must_use]
    pub fn get(&self, slot: Slot) -> &Value<'a> {
        self.values.get(slot.0 as usize).unwrap_or(&Value::Blank)
    }

    /// Returns the schema these facts keep to.
    #[must_use]
    pub fn schema(&self) -> &'a Schema {
        self.schema
    }
}

fn admit(field: &Field, value: &Value<'_>) -> Result<(), FactError> {
    let fits = match (value, field.kind) {
        (Value::Blank, _) => true,
        (Value::List(items), Type::List(_)) if items.is_empty() => true,
        (value, kind) => value.kind() == Some(kind),
    };
    if !fits {
        return Err(wrong_type(field, value.to_string()));
    }
    let texts: &[Value<'_>] = match value {
        Value::List(items) => items,
        single => std::slice::from_ref(single),
    };
    let mut bytes = 0;
    for text in texts {
        let Value::Text(text) = text else { continue };
        bytes += text.len();
        if !field.options.is_empty() && !field.options.iter().any(|option| option == text) {
            return Err(FactError::UnknownOption {
                name: field.name.clone(),
                found: shortened(text),
            });
        }
    }
    if bytes > limits::FACT_BYTES || texts.len() > limits::FACT_ITEMS {
        return Err(FactError::TooLarge {
            name: field.name.clone(),
        });
    }
    Ok(())
}

fn wrong_type(field: &Field, found: impl AsRef<str>) -> FactError {
    FactError::WrongType {
        name: field.name.clone(),
        expected: field.kind,
        found: shortened(found.as_ref()),
    }
}

fn shortened(text: &str) -> String {
    names::shortened(text, 40)
}

/// When and where an evaluation takes place: expressions read no clock.
#[derive(Debug, Clone)]
pub struct Context {
    pub(crate) now: Timestamp,
    pub(crate) zone: TimeZone,
    pub(crate) today: Date,
}

impl Context {
    /// Fixes what `NOW()` and `TODAY()` are, and in which zone an instant has a date.
    #[must_use]
    pub fn new(now: Timestamp, zone: TimeZone) -> Self {
        let today = zone.to_datetime(now).date();
        Self { now, zone, today }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Schema {
        Schema::new(vec![
            Field::new("客户.设备型号", Type::Text),
            Field::new("客户.等级", Type::Text).with_options(["A", "B"]),
            Field::new("预算", Type::Number),
            Field::new("标签", Type::List(crate::Item::Text)).with_options(["新", "老"]),
        ])
        .unwrap()
    }

    #[test]
    fn facts_are_read_nested_and_dotted() {
        let schema = schema();
        let facts = json!({"客户": {"设备型号": "锻造", "等级": null}, "预算": "12.50", "标签": ["新"]});
        let facts = Facts::from_json(&schema, &facts).unwrap();
        let at = |name| facts.get(schema.find(name).unwrap().0).to_string();
        assert_eq!(
            (at("客户.设备型号"), at("客户.等级"), at("预算"), at("标签")),
            ("锻造".into(), String::new(), "12.5".into(), "新".into())
        );
        let dotted = Facts::from_json(&schema, &json!({"客户.设备型号": "锻造"})).unwrap();
        assert_eq!(
            dotted.get(schema.find("客户.设备型号").unwrap().0),
            &Value::from("锻造")
        );
        assert_eq!(facts.get(Slot(77)), &Value::Blank);
    }

    #[test]
    fn facts_that_do_not_fit_are_refused() {
        let schema = schema();
        for (json, error) in [
            (json!([]), "facts are a JSON object"),
            (
                json!({"客户": {"设备型好": "x"}}),
                "there is no field '客户.设备型好', did you mean '客户.设备型号'?",
            ),
            (
                json!({"预算": true}),
                "field '预算' is of type number, this is not: true",
            ),
            (json!({"客户.等级": "C"}), "field '客户.等级' has no option 'C'"),
            (json!({"标签": ["新", "坏"]}), "field '标签' has no option '坏'"),
            (
                json!({"客户.设备型号": "x".repeat(limits::FACT_BYTES + 1)}),
                "field '客户.设备型号' has a value of more than 65536 bytes or 1000 items",
            ),
        ] {
            assert_eq!(Facts::from_json(&schema, &json).unwrap_err().to_string(), error);
        }
    }

    #[test]
    fn today_is_a_matter_of_the_zone() {
        let now: Timestamp = "2026-02-03T17:00:00Z".parse().unwrap();
        let shanghai = TimeZone::get("Asia/Shanghai").unwrap();
        assert_eq!(Context::new(now, shanghai).today, "2026-02-04".parse().unwrap());
        assert_eq!(Context::new(now, TimeZone::UTC).today, "2026-02-03".parse().unwrap());
    }
}
