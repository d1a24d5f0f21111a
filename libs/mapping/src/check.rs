//! Reads documents, and tells everything that is wrong with one.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::{Fault, MAX_DOCUMENT_BYTES, Rule, Targets, pointer::Pointer};

const MAX_FIELDS: usize = 100;
const MAX_PLACES: usize = 10;
const MAX_VALUES: usize = 500;
const MAX_TEXT: usize = 1000;
/// Longest name behind what names of further fields begin with.
const MAX_OPEN_NAME: usize = 100;

const DOCUMENT_KEYS: [&str; 2] = ["version", "fields"];
const RULE_KEYS: [&str; 6] = ["from", "values", "times", "otherwise", "rest", "required"];

pub(crate) fn parse(document: &str, targets: Targets<'_>) -> Result<BTreeMap<String, Rule>, Vec<Fault>> {
    let alone = |said: String| {
        let place = String::new();
        vec![Fault { place, said }]
    };
    if document.len() > MAX_DOCUMENT_BYTES {
        return Err(alone(format!("must be at most {MAX_DOCUMENT_BYTES} bytes")));
    }
    let read: Value = serde_json::from_str(document).map_err(|error| alone(format!("is no JSON: {error}")))?;
    let Value::Object(read) = read else {
        return Err(alone("must be an object".to_owned()));
    };
    let mut check = Check {
        faults: Vec::new(),
        targets,
    };
    check.keys("", &read, &DOCUMENT_KEYS);
    if read.get("version") != Some(&Value::from(1)) {
        check.add("version", "must be 1");
    }
    let fields = check.fields(read.get("fields"));
    if check.faults.is_empty() {
        Ok(fields)
    } else {
        Err(check.faults)
    }
}

struct Check<'a> {
    faults: Vec<Fault>,
    targets: Targets<'a>,
}

impl Check<'_> {
    fn add(&mut self, place: impl Into<String>, said: impl Into<String>) {
        self.faults.push(Fault {
            place: place.into(),
            said: said.into(),
        });
    }

    /// Refuses keys that mean nothing.
    fn keys(&mut self, place: &str, object: &Map<String, Value>, known: &[&str]) {
        for key in object.keys().filter(|key| !known.contains(&key.as_str())) {
            let at = if place.is_empty() {
                key.clone()
            } else {
                format!("{place}.{key}")
            };
            let said = format!("means nothing here{}", meant(key, known));
            self.add(at, said);
        }
    }

    fn fields(&mut self, fields: Option<&Value>) -> BTreeMap<String, Rule> {
        let mut rules = BTreeMap::new();
        let Some(Value::Object(fields)) = fields else {
            self.add("fields", "must be an object");
            return rules;
        };
        if fields.is_empty() || fields.len() > MAX_FIELDS {
            self.add("fields", format!("must be 1 to {MAX_FIELDS}"));
            return rules;
        }
        for (name, value) in fields {
            let at = format!("fields.{name}");
            self.target(&at, name);
            let rule = self.rule(&at, value);
            rules.insert(name.clone(), rule);
        }
        let mut rests = BTreeMap::new();
        for (name, rule) in &rules {
            let Some(rest) = &rule.rest else { continue };
            if rules.contains_key(rest) {
                self.add(
                    format!("fields.{name}.rest"),
                    format!("must not be {rest}, which is filled by itself"),
                );
            }
            if let Some(other) = rests.insert(rest.clone(), name.clone()) {
                self.add(
                    format!("fields.{name}.rest"),
                    format!("must not be {rest}, where the rest of {other} goes"),
                );
            }
        }
        rules
    }

    fn target(&mut self, at: &str, name: &str) {
        let open = name.strip_prefix(self.targets.open).map(|rest| rest.chars().count());
        match open {
            Some(1..=MAX_OPEN_NAME) => {}
            Some(_) => {
                let said = format!("must have 1 to {MAX_OPEN_NAME} characters after {}", self.targets.open);
                self.add(at, said);
            }
            None if self.targets.names.contains(&name) => {}
            None => {
                let hint = meant(name, self.targets.names);
                let said = format!(
                    "is no field{hint}; further fields are written {}name",
                    self.targets.open
                );
                self.add(at, said);
            }
        }
    }

    fn rule(&mut self, at: &str, value: &Value) -> Rule {
        let mut rule = Rule::default();
        match value {
            Value::String(_) => rule.from = self.places(at, value),
            Value::Object(object) => {
                self.keys(at, object, &RULE_KEYS);
                self.parts(at, object, &mut rule);
            }
            _ => self.add(at, "must be a JSON pointer, or an object"),
        }
        rule
    }

    fn parts(&mut self, at: &str, object: &Map<String, Value>, rule: &mut Rule) {
        let inner = |key: &str| format!("{at}.{key}");
        if let Some(from) = object.get("from") {
            rule.from = self.places(&inner("from"), from);
        } else if !object.contains_key("otherwise") {
            self.add(at, "must have from, or otherwise for a constant");
        }
        match object.get("values") {
            None => {}
            Some(Value::Object(values)) if (1..=MAX_VALUES).contains(&values.len()) => {
                for (key, value) in values {
                    let text = self.text(&format!("{}.{key}", inner("values")), value);
                    rule.values.insert(key.trim().to_owned(), text.unwrap_or_default());
                }
            }
            Some(_) => self.add(
                inner("values"),
                format!("must be an object with 1 to {MAX_VALUES} texts"),
            ),
        }
        if let Some(times) = object.get("times") {
            rule.times = times.as_i64().filter(|times| (1..=1_000_000).contains(times));
            if rule.times.is_none() {
                self.add(inner("times"), "must be a whole number, 1 to 1000000");
            }
        }
        if let Some(otherwise) = object.get("otherwise") {
            rule.otherwise = self.text(&inner("otherwise"), otherwise);
        }
        if let Some(rest) = object.get("rest") {
            rule.rest = self.text(&inner("rest"), rest);
            if let Some(rest) = rule.rest.clone() {
                self.target(&inner("rest"), &rest);
            }
        }
        if let Some(required) = object.get("required") {
            rule.required = required.as_bool().unwrap_or_default();
            if !required.is_boolean() {
                self.add(inner("required"), "must be true or false");
            }
        }
        if rule.from.is_empty() && object.keys().any(|key| key != "otherwise") && !object.contains_key("from") {
            self.add(at, "a constant has nothing but otherwise");
        }
    }

    fn places(&mut self, at: &str, from: &Value) -> Vec<Pointer> {
        let several = match from {
            Value::String(_) => std::slice::from_ref(from),
            Value::Array(list) if (1..=MAX_PLACES).contains(&list.len()) => list,
            _ => {
                self.add(at, format!("must be a JSON pointer, or a list of 1 to {MAX_PLACES}"));
                return Vec::new();
            }
        };
        let mut places = Vec::with_capacity(several.len());
        for (index, place) in several.iter().enumerate() {
            let at = if from.is_array() {
                format!("{at}[{index}]")
            } else {
                at.to_owned()
            };
            match place.as_str().map(Pointer::parse) {
                Some(Ok(pointer)) => places.push(pointer),
                Some(Err(said)) => self.add(at, said),
                None => self.add(at, "must be a text"),
            }
        }
        places
    }

    fn text(&mut self, at: &str, value: &Value) -> Option<String> {
        let text = value.as_str().map(str::trim);
        let fits = text.filter(|text| (1..=MAX_TEXT).contains(&text.chars().count()));
        if fits.is_none() {
            self.add(at, format!("must be a text of 1 to {MAX_TEXT} characters"));
        }
        fits.map(str::to_owned)
    }
}

/// Tells what may have been meant, where something is near.
fn meant(name: &str, known: &[&str]) -> String {
    let distance = |known: &&&str| strsim::damerau_levenshtein(&name.to_lowercase(), known);
    let nearest = known.iter().min_by_key(distance);
    match nearest.filter(|nearest| distance(nearest) <= (name.chars().count() / 3).max(1)) {
        Some(nearest) => format!(", did you mean {nearest}?"),
        None => String::new(),
    }
}
