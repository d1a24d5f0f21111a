//! Names of other resources inside a resource, so that a typing mistake is found before anything is changed.

use serde_json::Value;

use crate::bundle::{Kind, Resource};

use super::diff::json;

/// A resource named by another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reference {
    pub(super) field: String,
    pub(super) kind: Kind,
    pub(super) name: String,
}

/// Returns everything that a resource names.
pub(super) fn references(resource: &Resource) -> Vec<Reference> {
    let mut found = Vec::new();
    collect(resource.kind, "", &json(&resource.message), &mut found);
    found
}

fn collect(kind: Kind, field: &str, value: &Value, found: &mut Vec<Reference>) {
    match value {
        Value::String(name) => {
            if let Some(kind) = named_by(kind, field) {
                let (field, name) = (field.to_owned(), name.clone());
                found.push(Reference { field, kind, name });
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(kind, field, item, found)),
        Value::Object(fields) => fields
            .iter()
            .for_each(|(name, value)| collect(kind, name, value, found)),
        _ => {}
    }
}

/// Returns what a field of this name refers to.
fn named_by(kind: Kind, field: &str) -> Option<Kind> {
    match field {
        "parent" => Some(kind),
        "team" | "teams" | "default_team" => Some(Kind::Team),
        "supervisor" | "director" | "deputy" | "member" => Some(Kind::Member),
        "territory" => Some(Kind::Territory),
        "product" => Some(Kind::Product),
        "calendar" => Some(Kind::Calendar),
        _ => None,
    }
}
