//! Values: what facts are and what expressions result in.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde_json::Value as Json;

use crate::{Item, Type};

/// A value, its texts borrowed where that is possible.
///
/// Numbers are decimals of up to 28 digits, not binary fractions: `0.1 + 0.2 = 0.3` holds, and money stays exact.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// Nothing: an unknown fact, or the result of a calculation with one.
    Blank,
    Bool(bool),
    Number(Decimal),
    Text(Cow<'a, str>),
    Date(Date),
    Time(Timestamp),
    /// Values of one type, none of them blank and none a list.
    List(Vec<Value<'a>>),
}

impl Value<'_> {
    /// Detaches it from what it borrows.
    #[must_use]
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Value::Blank => Value::Blank,
            Value::Bool(value) => Value::Bool(value),
            Value::Number(value) => Value::Number(value),
            Value::Text(value) => Value::Text(Cow::Owned(value.into_owned())),
            Value::Date(value) => Value::Date(value),
            Value::Time(value) => Value::Time(value),
            Value::List(items) => Value::List(items.into_iter().map(Value::into_owned).collect()),
        }
    }

    /// Tells what `ISBLANK` tells: nothing, the empty text and the empty list are blank.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        match self {
            Value::Blank => true,
            Value::Text(text) => text.is_empty(),
            Value::List(items) => items.is_empty(),
            _ => false,
        }
    }

    /// Writes it as JSON. Dates are ISO texts, and so is a number that JSON readers, who read binary fractions, would change.
    #[must_use]
    pub fn to_json(&self) -> Json {
        match self {
            Value::Blank => Json::Null,
            Value::Bool(value) => Json::Bool(*value),
            Value::Number(number) => number_to_json(*number),
            Value::Text(text) => Json::String(text.to_string()),
            Value::Date(_) | Value::Time(_) => Json::String(self.to_string()),
            Value::List(items) => Json::Array(items.iter().map(Value::to_json).collect()),
        }
    }

    /// Reads a value of that type from JSON; `None` where it is of another. `null` is blank for every type.
    #[must_use]
    pub fn from_json(json: &Json, kind: Type) -> Option<Value<'static>> {
        match (json, kind) {
            (Json::Null, _) => Some(Value::Blank),
            (Json::Bool(value), Type::Bool) => Some(Value::Bool(*value)),
            (Json::Number(number), Type::Number) => parse_number(&number.to_string()).map(Value::Number),
            (Json::String(text), Type::Number) => parse_number(text).map(Value::Number),
            (Json::String(text), Type::Text) => Some(Value::Text(Cow::Owned(text.clone()))),
            (Json::String(text), Type::Date) => text.parse().ok().map(Value::Date),
            (Json::String(text), Type::Time) => text.parse().ok().map(Value::Time),
            (Json::Array(items), Type::List(item)) => {
                let items = items.iter().map(|json| match json {
                    Json::Null => None,
                    json => Self::from_json(json, item.into()),
                });
                items.collect::<Option<Vec<_>>>().map(Value::List)
            }
            _ => None,
        }
    }

    /// Returns its type; `None` where it fits several, as a blank and an empty list do, or is no proper list.
    #[must_use]
    pub fn kind(&self) -> Option<Type> {
        Some(match self {
            Value::Blank => return None,
            Value::Bool(_) => Type::Bool,
            Value::Number(_) => Type::Number,
            Value::Text(_) => Type::Text,
            Value::Date(_) => Type::Date,
            Value::Time(_) => Type::Time,
            Value::List(items) => {
                let mut kinds = items.iter().map(|item| match item {
                    Value::Text(_) => Some(Item::Text),
                    Value::Number(_) => Some(Item::Number),
                    Value::Date(_) => Some(Item::Date),
                    _ => None,
                });
                let first = kinds.next()??;
                if kinds.any(|kind| kind != Some(first)) {
                    return None;
                }
                Type::List(first)
            }
        })
    }
}

/// Writes it as a person reads it and as `&` joins it: numbers without trailing zeros, lists with `、`, nothing for blank.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Blank => Ok(()),
            Value::Bool(value) => f.write_str(if *value { "TRUE" } else { "FALSE" }),
            // Zero may have a sign, which says nothing.
            Value::Number(number) if number.is_zero() => f.write_str("0"),
            Value::Number(number) => write!(f, "{}", number.normalize()),
            Value::Text(text) => f.write_str(text),
            Value::Date(date) => write!(f, "{date}"),
            Value::Time(time) => write!(f, "{time}"),
            Value::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        f.write_str("、")?;
                    }
                    write!(f, "{item}")?;
                }
                Ok(())
            }
        }
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Value::Text(Cow::Borrowed(text))
    }
}

/// Reads a decimal number exactly, with an exponent if need be; `None` if it does not fit into 28 digits.
pub(crate) fn parse_number(text: &str) -> Option<Decimal> {
    if text.contains(['e', 'E']) {
        return Decimal::from_scientific(text).ok();
    }
    Decimal::from_str_exact(text).ok()
}

fn number_to_json(number: Decimal) -> Json {
    let text = number.normalize().to_string();
    if let Ok(whole) = text.parse::<i64>()
        && whole.unsigned_abs() <= 1 << 53
    {
        return Json::from(whole);
    }
    let readers_see = number
        .to_f64()
        .filter(|float| parse_number(&float.to_string()) == Some(number));
    readers_see.map_or(Json::String(text), Json::from)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_keeps_numbers_exact() {
        for (text, json) in [
            ("0.8", json!(0.8)),
            ("0.30", json!(0.3)),
            ("-12", json!(-12)),
            ("0", json!(0)),
            ("9007199254740993", json!("9007199254740993")),
            ("0.1234567890123456789", json!("0.1234567890123456789")),
        ] {
            let number: Decimal = text.parse().unwrap();
            assert_eq!(Value::Number(number).to_json(), json, "{text}");
            assert_eq!(
                Value::from_json(&json, Type::Number),
                Some(Value::Number(number)),
                "{text}"
            );
        }
        assert_eq!(
            Value::from_json(&json!(1e-7), Type::Number),
            Some(Value::Number("0.0000001".parse().unwrap()))
        );
        assert_eq!(Value::from_json(&json!(1e300), Type::Number), None);
    }

    #[test]
    fn json_of_another_type_is_refused() {
        for (json, kind) in [
            (json!("true"), Type::Bool),
            (json!(1), Type::Text),
            (json!("2026-02-30"), Type::Date),
            (json!("2026-02-03"), Type::Time),
            (json!(["a", 1]), Type::List(Item::Text)),
            (json!(["a", null]), Type::List(Item::Text)),
            (json!("a"), Type::List(Item::Text)),
        ] {
            assert_eq!(Value::from_json(&json, kind), None, "{json} as {kind:?}");
        }
    }

    #[test]
    fn values_read_as_written() {
        let list = Value::from_json(&json!(["锻造", "机加工"]), Type::List(Item::Text)).unwrap();
        assert_eq!(list.to_string(), "锻造、机加工");
        assert_eq!(Value::Number(-Decimal::ZERO).to_string(), "0");
        let time = Value::from_json(&json!("2026-02-03T09:00:00+08:00"), Type::Time).unwrap();
        assert_eq!(time.to_json(), json!("2026-02-03T01:00:00Z"));
    }
}
