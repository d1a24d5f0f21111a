//! The fields of a post, from JSON or from an HTML form.

use std::{collections::BTreeSet, fmt};

use serde::{
    Deserialize,
    de::{Error, MapAccess, Visitor},
};
use serde_json::Value;

use crate::problem::{Problem, Violation};

/// Fields a post may have.
pub(super) const MAX_FIELDS: usize = 100;
/// Longest name of a field that is sent back.
const MAX_ECHO: usize = 64;

/// The fields of a post in the order they were sent: names as typed, values as text, empty ones left out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fields(pub(super) Vec<(String, String)>);

impl Fields {
    /// Reads a JSON object. Numbers and booleans count as their text, a list of them as its parts joined by commas.
    pub(super) fn from_json(body: &[u8]) -> Result<Self, Problem> {
        let object: Object = serde_json::from_slice(body).map_err(|error| {
            let error = error.to_string();
            Problem::invalid_field("", format!("the body must be a JSON object: {error}"))
        })?;
        let mut violations = Vec::new();
        let mut fields = Vec::with_capacity(object.0.len());
        for (name, value) in object.0 {
            match text(&value) {
                Ok(text) => fields.push((name, text)),
                Err(expected) => violations.push(Violation::new(echo(&name), expected)),
            }
        }
        if !violations.is_empty() {
            return Err(Problem::invalid(violations));
        }
        Self::checked(fields)
    }

    /// Reads what an HTML form sends (application/x-www-form-urlencoded) in UTF-8. Values of one name are joined.
    pub(super) fn from_urlencoded(body: &[u8]) -> Result<Self, Problem> {
        let mut fields: Vec<(String, String)> = Vec::new();
        for pair in body.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty()) {
            let equals = pair.iter().position(|&byte| byte == b'=').unwrap_or(pair.len());
            let (name, value) = (&pair[..equals], pair.get(equals + 1..).unwrap_or_default());
            let name = decoded(name).map_err(|lossy| not_utf8(&lossy))?;
            let value = decoded(value).map_err(|_| not_utf8(&name))?;
            match fields.iter_mut().find(|(known, _)| *known == name) {
                Some((_, values)) if value.is_empty() || values.is_empty() => values.push_str(&value),
                Some((_, values)) => *values = format!("{values}, {value}"),
                None => fields.push((name, value)),
            }
            // Checked here too: the search for known names must not become slow.
            too_many(&fields)?;
        }
        Self::checked(fields)
    }

    fn checked(fields: Vec<(String, String)>) -> Result<Self, Problem> {
        too_many(&fields)?;
        let clean = fields.into_iter().map(|(name, value)| (clean(&name), clean(&value)));
        Ok(Self(clean.filter(|(_, value)| !value.is_empty()).collect()))
    }
}

fn too_many(fields: &[(String, String)]) -> Result<(), Problem> {
    match fields.get(MAX_FIELDS) {
        Some((name, _)) => Err(Problem::invalid_field(
            echo(name),
            format!("is one field more than the {MAX_FIELDS} a form may have"),
        )),
        None => Ok(()),
    }
}

/// Returns a text without blanks around it and without control characters: browsers end lines with CR LF, and texts
/// pasted from a word processor carry vertical tabs. The raw payload keeps what was sent.
fn clean(text: &str) -> String {
    let text = text.trim();
    if !text.chars().any(char::is_control) {
        return text.to_owned();
    }
    let control = |character: char| character.is_control() && !matches!(character, '\n' | '\t');
    text.replace("\r\n", "\n").replace('\r', "\n").replace(control, " ")
}

fn text(value: &Value) -> Result<String, &'static str> {
    match value {
        Value::Null => Ok(String::new()),
        Value::Bool(value) => Ok(value.to_string()),
        Value::Number(value) => Ok(value.to_string()),
        Value::String(value) => Ok(value.clone()),
        Value::Array(values) => {
            let texts: Result<Vec<_>, _> = values.iter().filter(|value| !value.is_array()).map(text).collect();
            let texts = texts?;
            if texts.len() < values.len() {
                return Err("must not hold lists in a list");
            }
            Ok(texts.join(", "))
        }
        Value::Object(_) => Err("must be a text, a number, a boolean or a list of them"),
    }
}

/// Decodes `+` and `%xx`; a percent sign without digits stands for itself. Fails with what is readable.
fn decoded(bytes: &[u8]) -> Result<String, String> {
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'+' => decoded.push(b' '),
            b'%' => match hex_byte(after) {
                Some(byte) => {
                    decoded.push(byte);
                    rest = &after[2..];
                }
                None => decoded.push(b'%'),
            },
            _ => decoded.push(byte),
        }
    }
    String::from_utf8(decoded).map_err(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn hex_byte(digits: &[u8]) -> Option<u8> {
    let digit = |at: usize| char::from(*digits.get(at)?).to_digit(16);
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}

fn not_utf8(name: &str) -> Problem {
    Problem::invalid_field(echo(name), "is not UTF-8; send the form with accept-charset=\"utf-8\"")
}

/// Returns the name of a field, cut to what is worth sending back.
fn echo(name: &str) -> String {
    match name.char_indices().nth(MAX_ECHO) {
        Some((at, _)) => format!("{}…", &name[..at]),
        None => name.to_owned(),
    }
}

/// A JSON object with its members in order; a name that occurs twice is refused, for which one is meant?
struct Object(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Object;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object of fields")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut names = BTreeSet::new();
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if !names.insert(name.clone()) {
                        return Err(A::Error::custom(format!("field {:?} occurs twice", echo(&name))));
                    }
                    members.push((name, value));
                }
                Ok(Object(members))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        Fields(
            pairs
                .iter()
                .map(|&(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        )
    }

    #[test]
    fn json_values_become_texts() {
        let json = r#"{"公司": " 恒瑞 ", "n": 12, "x": 1.5, "b": true, "l": ["a", 2], "none": null, "empty": "", "r": "a\r\nb\u000bc"}"#;
        assert_eq!(
            Fields::from_json(json.as_bytes()).unwrap(),
            fields(&[
                ("公司", "恒瑞"),
                ("n", "12"),
                ("x", "1.5"),
                ("b", "true"),
                ("l", "a, 2"),
                ("r", "a\nb c")
            ])
        );
    }

    #[test]
    fn forms_are_decoded_and_repeated_names_joined() {
        let body = "company=%E6%81%92%E7%91%9E&remark=a+b%0D%0Ac&need=x&need=y&100%25=%zz&empty=&&=";
        assert_eq!(
            Fields::from_urlencoded(body.as_bytes()).unwrap(),
            fields(&[
                ("company", "恒瑞"),
                ("remark", "a b\nc"),
                ("need", "x, y"),
                ("100%", "%zz")
            ])
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        let hundred_and_one: Vec<_> = (0..=MAX_FIELDS).map(|at| format!("\"f{at}\":1")).collect();
        let hundred_and_one = format!("{{{}}}", hundred_and_one.join(","));
        let long_name = format!(r#"{{"{}": {{}}}}"#, "名".repeat(20_000));
        for (json, field) in [
            (r#"{"a": {"b": 1}}"#, "a"),
            (r#"{"a": [[1]]}"#, "a"),
            (&hundred_and_one, "f100"),
            (&long_name, &format!("{}…", "名".repeat(64))),
            ("[]", ""),
            ("", ""),
            (r#"{"a": 1, "a": 2}"#, ""),
        ] {
            let problem = Fields::from_json(json.as_bytes()).unwrap_err();
            assert_eq!(problem.json()["violations"][0]["field"], *field);
        }
        let twice = Fields::from_json(br#"{"a": 1, "a": 2}"#).unwrap_err();
        assert!(twice.json()["detail"].as_str().unwrap().contains("\"a\" occurs twice"));
        assert!(Fields::from_json(b"{\"a\": \"\xff\"}").is_err());
    }

    #[test]
    fn other_encodings_are_refused_by_field() {
        // 公司 in GBK.
        let problem = Fields::from_urlencoded(b"name=x&company=%B9%AB%CB%BE").unwrap_err();
        assert_eq!(problem.json()["violations"][0]["field"], "company");
        assert!(Fields::from_urlencoded(b"\xff=1").is_err());
        let many: Vec<_> = (0..30_000).map(|at| format!("{at}=")).collect();
        let problem = Fields::from_urlencoded(many.join("&").as_bytes()).unwrap_err();
        assert_eq!(problem.json()["violations"][0]["field"], "100");
    }
}
