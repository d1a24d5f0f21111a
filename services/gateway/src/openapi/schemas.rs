//! Messages as JSON schemas.

use std::collections::BTreeMap;

use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

use super::{comments::Comments, reference};

/// The schemas of all messages that were referred to, and of those they refer to.
pub(super) struct Schemas<'a> {
    comments: &'a Comments,
    /// Schemas by full name; null while one is being written.
    written: BTreeMap<String, Value>,
}

impl<'a> Schemas<'a> {
    pub(super) fn new(comments: &'a Comments) -> Self {
        Self {
            comments,
            written: BTreeMap::new(),
        }
    }

    pub(super) fn finish(self) -> Map<String, Value> {
        self.written.into_iter().collect()
    }

    /// Returns the schema of a message: a reference, or what a well-known type looks like in JSON.
    pub(super) fn reference(&mut self, message: &MessageDescriptor) -> Value {
        let name = message.full_name();
        if let Some(well_known) = well_known(name) {
            return well_known;
        }
        if !self.written.contains_key(name) {
            self.written.insert(name.to_owned(), Value::Null);
            let schema = self.object(message);
            self.written.insert(name.to_owned(), schema);
        }
        reference(&format!("schemas/{name}"))
    }

    fn object(&mut self, message: &MessageDescriptor) -> Value {
        let properties: Map<_, _> = message
            .fields()
            .map(|field| (field.json_name().to_owned(), self.property(&field)))
            .collect();
        json!({
            "type": "object",
            "description": self.comments.of(&message.parent_file(), message.path()),
            "properties": properties,
            "additionalProperties": false,
        })
    }

    fn property(&mut self, field: &FieldDescriptor) -> Value {
        let kind = field.kind();
        let mut schema = match &kind {
            Kind::Message(entry) if field.is_map() => {
                let value = self.kind(&entry.map_entry_value_field().kind());
                json!({"type": "object", "additionalProperties": value})
            }
            kind if field.is_list() => json!({"type": "array", "items": self.kind(kind)}),
            kind => self.kind(kind),
        };
        let comment = self.comments.of(&field.parent_message().parent_file(), field.path());
        if !comment.is_empty() {
            schema["description"] = comment.into();
        }
        schema
    }

    fn kind(&mut self, kind: &Kind) -> Value {
        match kind {
            Kind::Double | Kind::Float => json!({"type": "number"}),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => json!({"type": "integer", "format": "int32"}),
            Kind::Uint32 | Kind::Fixed32 => json!({"type": "integer", "format": "uint32"}),
            // Texts, because a double cannot carry them.
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => json!({"type": "string", "format": "int64"}),
            Kind::Uint64 | Kind::Fixed64 => json!({"type": "string", "format": "uint64"}),
            Kind::Bool => json!({"type": "boolean"}),
            Kind::String => json!({"type": "string"}),
            Kind::Bytes => json!({"type": "string", "contentEncoding": "base64"}),
            Kind::Message(message) => self.reference(message),
            Kind::Enum(choice) => self.choice(choice),
        }
    }

    fn choice(&mut self, choice: &EnumDescriptor) -> Value {
        let name = choice.full_name();
        if !self.written.contains_key(name) {
            let values: Vec<_> = choice.values().map(|value| value.name().to_owned()).collect();
            let description = self.comments.of(&choice.parent_file(), choice.path());
            let schema = json!({"type": "string", "description": description, "enum": values});
            self.written.insert(name.to_owned(), schema);
        }
        reference(&format!("schemas/{name}"))
    }
}

fn well_known(name: &str) -> Option<Value> {
    Some(match name.strip_prefix("google.protobuf.")? {
        "Timestamp" => json!({"type": "string", "format": "date-time"}),
        "Duration" => json!({"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?s$"}),
        "Struct" | "Any" | "Empty" => json!({"type": "object"}),
        "Value" => json!({}),
        "ListValue" => json!({"type": "array"}),
        "BoolValue" => json!({"type": "boolean"}),
        "StringValue" | "FieldMask" | "Int64Value" | "UInt64Value" => json!({"type": "string"}),
        "BytesValue" => json!({"type": "string", "contentEncoding": "base64"}),
        "DoubleValue" | "FloatValue" => json!({"type": "number"}),
        "Int32Value" | "UInt32Value" => json!({"type": "integer"}),
        _ => return None,
    })
}
