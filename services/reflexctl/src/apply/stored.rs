//! What the server has of the kinds a bundle touches.

use std::collections::{BTreeMap, BTreeSet};

use prost_reflect::{DynamicMessage, Value};
use tonic::{Code, Status};

use super::diff::json;
use crate::bundle::{Kind, Resource, label, resource_field, text};
use crate::connection::Connection;

/// Pages are asked for in this size, the most every list allows.
const PAGE_SIZE: i32 = 500;

/// Everything stored of some kinds.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    by_kind: BTreeMap<Kind, BTreeMap<String, DynamicMessage>>,
}

impl Stored {
    /// Reads every resource of these kinds.
    pub(crate) async fn read(connection: &Connection, kinds: &BTreeSet<Kind>) -> Result<Self, Status> {
        let mut by_kind = BTreeMap::new();
        for &kind in kinds {
            let resources = read_kind(connection, kind).await?;
            let labelled = resources.into_iter().map(|message| (label(kind, &message), message));
            by_kind.insert(kind, labelled.collect());
        }
        Ok(Self { by_kind })
    }

    /// Returns what is stored of a resource.
    pub(super) fn find(&self, resource: &Resource) -> Option<&DynamicMessage> {
        self.by_kind.get(&resource.kind)?.get(&resource.label())
    }

    pub(super) fn has(&self, kind: Kind, label: &str) -> bool {
        let resources = self.by_kind.get(&kind);
        resources.is_some_and(|resources| resources.contains_key(label))
    }

    /// Returns the resources of a kind, by name.
    pub(crate) fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &DynamicMessage> {
        self.by_kind.get(&kind).into_iter().flat_map(BTreeMap::values)
    }

    /// Returns the names of what is stored of a kind.
    pub(super) fn labels(&self, kind: Kind) -> impl Iterator<Item = &String> {
        self.by_kind.get(&kind).into_iter().flat_map(BTreeMap::keys)
    }
}

async fn read_kind(connection: &Connection, kind: Kind) -> Result<Vec<DynamicMessage>, Status> {
    let Some(method) = kind.read_method() else {
        return Ok(Vec::new());
    };
    let field = resource_field(&method.output()).expect("tested: what is read holds its resources");
    let mut found = Vec::new();
    let mut page_token = String::new();
    loop {
        let mut request = DynamicMessage::new(method.input());
        if request
            .try_set_field_by_name("page_size", Value::I32(PAGE_SIZE))
            .is_ok()
        {
            request.set_field_by_name("page_token", Value::String(page_token));
        }
        let response = match connection.call(kind.owner(), &method, request).await {
            Err(status) if status.code() == Code::NotFound => return Ok(found),
            answer => answer?,
        };
        match response.get_field(&field).as_ref() {
            Value::List(items) => found.extend(items.iter().filter_map(Value::as_message).cloned()),
            Value::Message(item) if response.has_field(&field) => found.push(item.clone()),
            _ => {}
        }
        page_token = text(&response, "next_page_token");
        if page_token.is_empty() {
            return Ok(found);
        }
    }
}

/// Returns what a put tells beside the resource itself, such as how many leads went back into the queue.
pub(super) fn remarks(response: &DynamicMessage) -> Vec<String> {
    let serde_json::Value::Object(fields) = json(response) else {
        return Vec::new();
    };
    let told = fields.iter().filter(|(_, value)| value.is_number() || value.is_array());
    told.map(|(name, value)| format!("{}: {}", name.replace('_', " "), said(value)))
        .collect()
}

/// Writes a number, or a list; of what has a sentence in Chinese only that.
fn said(value: &serde_json::Value) -> String {
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    let sentences: Vec<&str> = items.iter().filter_map(|item| item.get("zh")?.as_str()).collect();
    if sentences.is_empty() {
        value.to_string()
    } else {
        sentences.join("; ")
    }
}
