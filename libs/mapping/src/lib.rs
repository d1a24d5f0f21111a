//! Field mappings: documents that say which places of a JSON body fill which fields.
//!
//! Belongs here: reading and checking a document, and applying it. Does not: what the fields mean; whoever maps names them.
//!
//! A document is data, never code:
//!
//! ```json
//! {"version": 1,
//!  "fields": {
//!    "company": "/data/corp",
//!    "phone": {"from": ["/data/phones/*/number", "/data/tel"], "rest": "attributes.备用电话", "required": true},
//!    "urgency": {"from": "/data/level", "values": {"1": "red", "2": "yellow"}, "otherwise": "green"},
//!    "budget_min_fen": {"from": "/data/budget_yuan", "times": 100},
//!    "remark": {"otherwise": "来自百度"}
//!  }}
//! ```

mod check;
mod number;
mod pointer;

use std::collections::BTreeMap;

use serde_json::Value;

use pointer::Pointer;

/// Longest document, in bytes.
pub const MAX_DOCUMENT_BYTES: usize = 64 * 1024;
/// Longest text of a body that a fault repeats, in characters.
const MAX_ECHO: usize = 40;
/// Texts that one field gathers; further ones are left in the body.
const MAX_TEXTS: usize = 20;

/// The fields that a document may fill.
#[derive(Debug, Clone, Copy)]
pub struct Targets<'a> {
    /// Names of fields.
    pub names: &'a [&'a str],
    /// What names of further fields begin with, for example `attributes.`.
    pub open: &'a str,
}

/// Something that is wrong with a document or a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Place in the document, as `fields.phone.from[0]`, or in the body, as `/data/tel`.
    pub place: String,
    /// What is wrong with it.
    pub said: String,
}

/// A checked document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    fields: BTreeMap<String, Rule>,
}

/// How a field is filled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Rule {
    /// Places of the body; the first text that is found fills the field.
    from: Vec<Pointer>,
    /// What texts of the body are called here; others are faults where there is no `otherwise`.
    values: BTreeMap<String, String>,
    /// What numbers are multiplied with.
    times: Option<i64>,
    /// What the field is where nothing is found.
    otherwise: Option<String>,
    /// The field that the other texts go to.
    rest: Option<String>,
    /// Whether a body without it is refused.
    required: bool,
}

/// What a body says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mapped {
    /// Texts by field; never empty ones.
    pub texts: BTreeMap<String, String>,
    /// The place of the body that filled the field, where one did.
    pub origins: BTreeMap<String, String>,
}

impl Mapping {
    /// Reads a document that may fill these fields.
    ///
    /// # Errors
    /// Returns everything that is wrong with it.
    pub fn parse(document: &str, targets: Targets<'_>) -> Result<Self, Vec<Fault>> {
        check::parse(document, targets).map(|fields| Self { fields })
    }

    /// Reads a body.
    ///
    /// # Errors
    /// Returns every place that says something it must not, or does not say what it must.
    pub fn apply(&self, body: &Value) -> Result<Mapped, Vec<Fault>> {
        let mut mapped = Mapped::default();
        let mut faults = Vec::new();
        for (field, rule) in &self.fields {
            match rule.read(body) {
                Ok(mut found) => {
                    if let Some(rest) = rule.rest.as_ref().filter(|_| found.len() > 1) {
                        let others: Vec<String> = found.drain(1..).map(|(_, text)| text).collect();
                        mapped.texts.insert(rest.clone(), others.join(", "));
                    }
                    if let Some((place, text)) = found.into_iter().next() {
                        mapped.texts.insert(field.clone(), text);
                        mapped.origins.insert(field.clone(), place);
                    } else if let Some(otherwise) = &rule.otherwise {
                        mapped.texts.insert(field.clone(), otherwise.clone());
                    } else if rule.required {
                        faults.push(rule.missing(field));
                    }
                }
                Err(fault) => faults.push(fault),
            }
        }
        if faults.is_empty() { Ok(mapped) } else { Err(faults) }
    }

    /// Returns the first place that a field is looked for at.
    #[must_use]
    pub fn place_of(&self, field: &str) -> Option<String> {
        let rule = self.fields.get(field)?;
        rule.from.first().map(ToString::to_string)
    }
}

impl Rule {
    /// Lists the texts of a body with their places, each text once.
    fn read(&self, body: &Value) -> Result<Vec<(String, String)>, Fault> {
        let mut found: Vec<(String, String)> = Vec::new();
        for pointer in &self.from {
            for (place, value) in pointer.find(body) {
                let Some(text) = text_of(&place, value)? else { continue };
                let Some(text) = self.translate(&place, text)? else {
                    continue;
                };
                if found.len() < MAX_TEXTS && found.iter().all(|(_, other)| *other != text) {
                    found.push((place, text));
                }
            }
        }
        Ok(found)
    }

    fn translate(&self, place: &str, text: String) -> Result<Option<String>, Fault> {
        let fault = |said: String| {
            let place = place.to_owned();
            Err(Fault { place, said })
        };
        let text = match self.values.get(&text) {
            Some(meant) => meant.clone(),
            None if self.values.is_empty() => text,
            None if self.otherwise.is_some() => return Ok(None),
            None => {
                let known: Vec<&str> = self.values.keys().map(String::as_str).take(MAX_TEXTS).collect();
                return fault(format!("is {:?}, which is none of {}", echo(&text), known.join(", ")));
            }
        };
        match self.times {
            None => Ok(Some(text)),
            Some(times) => match number::times(&text, times) {
                Some(product) => Ok(Some(product.to_string())),
                None => fault(format!(
                    "is {:?}, not a number that times {times} is a whole one",
                    echo(&text)
                )),
            },
        }
    }

    fn missing(&self, field: &str) -> Fault {
        let places: Vec<String> = self.from.iter().map(ToString::to_string).collect();
        Fault {
            place: places.first().cloned().unwrap_or_default(),
            said: format!("must be given: {field} is taken from {}", places.join(" or ")),
        }
    }
}

/// Returns a value as text; none for null and blanks.
fn text_of(place: &str, value: &Value) -> Result<Option<String>, Fault> {
    let text = match value {
        Value::Null => return Ok(None),
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Bool(bool) => bool.to_string(),
        Value::Array(_) | Value::Object(_) => {
            let kind = if value.is_array() { "a list" } else { "an object" };
            return Err(Fault {
                place: place.to_owned(),
                said: format!("is {kind}, and must be a text, a number, true or false"),
            });
        }
    };
    Ok(Some(text).filter(|text| !text.is_empty()))
}

fn echo(text: &str) -> String {
    match text.char_indices().nth(MAX_ECHO) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
