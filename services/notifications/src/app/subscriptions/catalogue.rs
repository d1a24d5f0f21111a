//! The facts that systems outside can be told, read from the protos themselves: what each is called, what it says, and what of
//! that is about people.

use std::{
    collections::{BTreeMap, HashMap},
    sync::LazyLock,
};

use prost_reflect::{Cardinality, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, SerializeOptions, Value};
use reflex_expr::{Field, Item, Schema, Type};
use serde_json::{Map, Value as Json};

use crate::domain::subscription::{event_type, mask::mask};

/// What is said of each event besides its data, as filters may ask for it.
const OF_EVERY_EVENT: [&str; 2] = ["type", "subject"];
/// Option of fields that are about people.
const PERSONAL: &str = "reflex.options.v1.personal";

/// One kind of fact.
#[derive(Debug)]
pub struct Entry {
    /// What it is called outside, for example "lead.assigned.v1".
    pub name: String,
    descriptor: MessageDescriptor,
    /// Names of the fields that are about people.
    personal: Vec<String>,
}

/// All kinds of facts.
#[derive(Debug)]
pub struct Catalogue {
    by_kind: HashMap<String, Entry>,
    /// Full names of the messages, by what they are called.
    kinds: BTreeMap<String, String>,
    /// The names as fields, as a schema finds the nearest.
    names: Schema,
}

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(Catalogue::read);

/// Returns the catalogue.
#[must_use]
pub fn catalogue() -> &'static Catalogue {
    &CATALOGUE
}

impl Catalogue {
    fn read() -> Self {
        let pool = reflex_proto::descriptor_pool();
        let personal = pool
            .get_extension_by_name(PERSONAL)
            .expect("an option of our own protos");
        let is_personal = |field: &FieldDescriptor| *field.options().get_extension(&personal) == Value::Bool(true);
        let files = pool.files().filter(|file| file.name().ends_with("/events.proto"));
        let entries = files
            .flat_map(|file| file.messages().collect::<Vec<_>>())
            .filter_map(|descriptor| {
                let name = event_type::of_kind(descriptor.full_name())?;
                let personal = descriptor
                    .fields()
                    .filter(is_personal)
                    .map(|field| field.name().to_owned());
                let personal = personal.collect();
                Some((
                    descriptor.full_name().to_owned(),
                    Entry {
                        name,
                        descriptor,
                        personal,
                    },
                ))
            });
        let by_kind: HashMap<String, Entry> = entries.collect();
        let kinds: BTreeMap<String, String> = by_kind
            .iter()
            .map(|(kind, entry)| (entry.name.clone(), kind.clone()))
            .collect();
        let names = kinds.keys().map(|name| Field::new(name.clone(), Type::Text)).collect();
        Self {
            by_kind,
            kinds,
            names: Schema::new(names).expect("what events are called makes names"),
        }
    }

    /// Finds the fact of a message by its full name.
    #[must_use]
    pub fn of_kind(&self, kind: &str) -> Option<&Entry> {
        self.by_kind.get(kind)
    }

    /// Finds the full name of the message that is called so.
    #[must_use]
    pub fn kind_of(&self, name: &str) -> Option<&str> {
        self.kinds.get(name).map(String::as_str)
    }

    /// Finds what a misspelt name most likely meant.
    #[must_use]
    pub fn nearest(&self, name: &str) -> Option<&str> {
        self.names.nearest(name)
    }

    /// Returns what filters over events of these names (all where there are none) may ask for. Fields about people are among it
    /// where they go along unmasked: else a filter would tell what is hidden. Where two facts have fields of one name and two
    /// types, the first one's counts, and the other one's is blank.
    ///
    /// # Panics
    /// Never: names of fields make names.
    #[must_use]
    pub fn schema(&self, names: &[String], personal: bool) -> Schema {
        let kinds: Vec<&String> = if names.is_empty() {
            self.kinds.values().collect()
        } else {
            names.iter().filter_map(|name| self.kinds.get(name)).collect()
        };
        let mut fields: BTreeMap<String, Type> = OF_EVERY_EVENT.map(|name| (name.to_owned(), Type::Text)).into();
        for entry in kinds.into_iter().filter_map(|kind| self.by_kind.get(kind)) {
            for field in entry.descriptor.fields() {
                if let Some(kind) = kind_of_field(&field)
                    && (personal || !entry.is_personal(field.name()))
                {
                    fields.entry(field.name().to_owned()).or_insert(kind);
                }
            }
        }
        let fields = fields.into_iter().map(|(name, kind)| Field::new(name, kind)).collect();
        Schema::new(fields).expect("names of fields make names")
    }
}

impl Entry {
    fn is_personal(&self, field: &str) -> bool {
        self.personal.iter().any(|name| name == field)
    }

    /// Returns what an event says as JSON: all of its fields under the names of its proto, those about people masked unless
    /// `personal`. None for bytes that are no such message.
    #[must_use]
    pub fn data(&self, bytes: &[u8], personal: bool) -> Option<Map<String, Json>> {
        let message = DynamicMessage::decode(self.descriptor.clone(), bytes).ok()?;
        let options = SerializeOptions::new()
            .use_proto_field_name(true)
            .skip_default_fields(false);
        let json = message
            .serialize_with_options(serde_json::value::Serializer, &options)
            .ok()?;
        let Json::Object(mut said) = json else { return None };
        for field in self.descriptor.fields() {
            let value = said.entry(field.name()).or_insert(Json::Null);
            if !personal && self.is_personal(field.name()) {
                hide(value);
            }
        }
        Some(said)
    }
}

fn hide(value: &mut Json) {
    match value {
        Json::String(text) => *text = mask(text),
        Json::Array(items) => items.iter_mut().for_each(hide),
        other => *other = Json::Null,
    }
}

fn kind_of_field(field: &FieldDescriptor) -> Option<Type> {
    let one = match field.kind() {
        Kind::Bool => Type::Bool,
        Kind::String | Kind::Enum(_) => Type::Text,
        Kind::Message(message) if message.full_name() == "google.protobuf.Timestamp" => Type::Time,
        Kind::Message(_) | Kind::Bytes => return None,
        _ => Type::Number,
    };
    match (field.cardinality(), one) {
        (Cardinality::Repeated, Type::Text) if !field.is_map() => Some(Type::List(Item::Text)),
        (Cardinality::Repeated, Type::Number) if !field.is_map() => Some(Type::List(Item::Number)),
        (Cardinality::Repeated, _) => None,
        (_, one) => Some(one),
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use reflex_proto::leads::v1::LeadAssigned;
    use serde_json::json;

    use super::*;

    const ASSIGNED: &str = "reflex.leads.v1.LeadAssigned";

    #[test]
    fn every_fact_has_a_name_of_its_own() {
        let catalogue = catalogue();
        assert_eq!(catalogue.by_kind.len(), catalogue.kinds.len());
        assert_eq!(catalogue.kind_of("lead.assigned.v1"), Some(ASSIGNED));
        assert_eq!(
            catalogue.kind_of("notification.sent.v1"),
            Some("reflex.notifications.v1.NotificationSent")
        );
        assert_eq!(catalogue.nearest("lead.asigned.v1"), Some("lead.assigned.v1"));
        assert_eq!(catalogue.kind_of("lead.asigned.v1"), None);
    }

    #[test]
    fn every_field_is_there_and_people_are_masked() {
        let assigned = LeadAssigned {
            lead: "leads/a".to_owned(),
            contact_name: "王芳 13912345678".to_owned(),
            fencing_token: 7,
            assign_time: Some(prost_types::Timestamp {
                seconds: 1_771_200_000,
                nanos: 0,
            }),
            ..LeadAssigned::default()
        };
        let entry = catalogue().of_kind(ASSIGNED).unwrap();
        let data = entry.data(&assigned.encode_to_vec(), false).unwrap();
        assert_eq!(data["contact_name"], "王**");
        assert_eq!((&data["company"], &data["claim_due_time"]), (&json!(""), &Json::Null));
        assert_eq!(
            (&data["fencing_token"], &data["assign_time"]),
            (&json!("7"), &json!("2026-02-16T00:00:00Z"))
        );
        assert_eq!(data.len(), 15);
        let whole = entry.data(&assigned.encode_to_vec(), true).unwrap();
        assert_eq!(whole["contact_name"], "王芳 13912345678");
        assert!(entry.data(b"\xff\xff", true).is_none());
    }

    #[test]
    fn filters_ask_for_what_the_subscription_gets() {
        let names = ["lead.assigned.v1".to_owned()];
        let masked = catalogue().schema(&names, false);
        assert_eq!(masked.find("assign_time").unwrap().1.kind, Type::Time);
        assert_eq!(masked.find("fencing_token").unwrap().1.kind, Type::Number);
        assert!(masked.find("contact_name").is_none() && masked.find("verdict").is_none());
        assert!(catalogue().schema(&names, true).find("contact_name").is_some());
        assert!(catalogue().schema(&[], false).find("verdict").is_some());
    }
}
