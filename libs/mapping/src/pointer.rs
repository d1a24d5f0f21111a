//! Places of a body: JSON pointers (RFC 6901), in which `*` stands for every item of a list.

use std::fmt;

use serde_json::Value;

const MAX_STEPS: usize = 16;
const MAX_CHARACTERS: usize = 200;

/// A place, or the same place in every item of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pointer(Vec<String>);

impl Pointer {
    /// Reads a pointer.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.chars().count() > MAX_CHARACTERS {
            return Err(format!("must be at most {MAX_CHARACTERS} characters"));
        }
        let Some(path) = text.strip_prefix('/') else {
            return Err("must be a JSON pointer such as /data/phone".to_owned());
        };
        let steps: Vec<String> = path
            .split('/')
            .map(unescaped)
            .collect::<Option<_>>()
            .ok_or_else(|| "has a ~ that is neither ~0 (for ~) nor ~1 (for /)".to_owned())?;
        if steps.len() > MAX_STEPS {
            return Err(format!("must have at most {MAX_STEPS} steps"));
        }
        Ok(Self(steps))
    }

    /// Lists what is at the place, with where it was found; a list at its end counts item by item.
    pub(crate) fn find<'a>(&self, body: &'a Value) -> Vec<(String, &'a Value)> {
        let mut found = vec![(String::new(), body)];
        for step in &self.0 {
            found = found
                .into_iter()
                .flat_map(|(place, value)| enter(&place, value, step))
                .collect();
        }
        found
            .into_iter()
            .flat_map(|(place, value)| items(&place, value))
            .collect()
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|step| write!(formatter, "/{}", escaped(step)))
    }
}

fn enter<'a>(place: &str, value: &'a Value, step: &str) -> Vec<(String, &'a Value)> {
    let inner = match value {
        Value::Array(_) if step == "*" => return items(place, value),
        // As in a pointer: no sign, no leading zero.
        Value::Array(list) => step
            .parse::<usize>()
            .ok()
            .filter(|index| index.to_string() == step)
            .and_then(|index| list.get(index)),
        Value::Object(fields) => fields.get(step),
        _ => None,
    };
    let at = |inner| (format!("{place}/{}", escaped(step)), inner);
    inner.map(at).into_iter().collect()
}

fn items<'a>(place: &str, value: &'a Value) -> Vec<(String, &'a Value)> {
    match value {
        Value::Array(list) => {
            let items = list.iter().enumerate();
            items.map(|(index, item)| (format!("{place}/{index}"), item)).collect()
        }
        other => vec![(place.to_owned(), other)],
    }
}

fn unescaped(step: &str) -> Option<String> {
    let mut parts = step.split('~');
    let mut text = parts.next()?.to_owned();
    for part in parts {
        let (sign, rest) = part.split_at_checked(1)?;
        text.push(match sign {
            "0" => '~',
            "1" => '/',
            _ => return None,
        });
        text.push_str(rest);
    }
    Some(text)
}

fn escaped(step: &str) -> String {
    step.replace('~', "~0").replace('/', "~1")
}
