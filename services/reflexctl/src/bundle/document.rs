//! One YAML document of a bundle: its `kind`, its `tenant`, and everything else as the message of that kind.

use std::collections::BTreeMap;
use std::fmt;

use prost_reflect::{DeserializeOptions, DynamicMessage, MessageDescriptor, Value};
use reflex_calendar::{CalendarSpec, StatutoryTable, WorkingCalendar};
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, IntoDeserializer as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, forward_to_deserialize_any};

use super::Kind;

/// What a document says about itself.
#[derive(Debug, Deserialize)]
pub(super) struct Head {
    pub(super) kind: Option<String>,
    pub(super) tenant: Option<String>,
    #[serde(flatten)]
    pub(super) fields: BTreeMap<String, serde_norway::Value>,
}

/// Reads what a document says about itself; `None` for one without anything in it.
pub(super) fn read_head(text: &str) -> Result<Option<Head>, serde_norway::Error> {
    serde_norway::from_str(text)
}

/// Reads the resource. Errors carry the position inside the document.
pub(super) fn read_body(kind: Kind, text: &str) -> Result<DynamicMessage, serde_norway::Error> {
    let descriptor = kind.message();
    let body = Body(serde_norway::Deserializer::from_str(text), &descriptor);
    match kind {
        Kind::Calendar => CalendarDocument::deserialize(body).map(|document| document.into_message(descriptor.clone())),
        Kind::Holidays => HolidaysDocument::deserialize(body).map(|document| document.into_message(descriptor.clone())),
        Kind::WebhookSource => {
            let mut document = serde_norway::Mapping::deserialize(body)?;
            mapping_as_text(&mut document);
            DynamicMessage::deserialize_with_options(
                descriptor,
                serde_norway::Value::Mapping(document),
                &DeserializeOptions::new().deny_unknown_fields(true),
            )
        }
        _ => DynamicMessage::deserialize_with_options(
            descriptor.clone(),
            body,
            &DeserializeOptions::new().deny_unknown_fields(true),
        ),
    }
}

/// Writes a mapping that is written out as the JSON that the server keeps, its keys in order.
fn mapping_as_text(document: &mut serde_norway::Mapping) {
    let Some(mapping) = document.get_mut("mapping").filter(|mapping| mapping.is_mapping()) else {
        return;
    };
    if let Ok(json) = serde_json::to_value(&*mapping) {
        *mapping = serde_norway::Value::String(json.to_string());
    }
}

/// A calendar with its file written inline or as text.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CalendarDocument {
    name: String,
    #[serde(deserialize_with = "inline_or_text")]
    spec: String,
}

impl CalendarDocument {
    fn into_message(self, descriptor: MessageDescriptor) -> DynamicMessage {
        let mut message = DynamicMessage::new(descriptor);
        message.set_field_by_name("name", Value::String(self.name));
        message.set_field_by_name("spec", Value::String(self.spec));
        message
    }
}

/// A statutory table, inline.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HolidaysDocument {
    table: serde_json::Value,
}

impl HolidaysDocument {
    fn into_message(self, descriptor: MessageDescriptor) -> DynamicMessage {
        let mut message = DynamicMessage::new(descriptor);
        message.set_field_by_name("table", Value::String(self.table.to_string()));
        message
    }
}

/// Reads a calendar file given as a mapping or as a text, checks it, and returns it as text.
fn inline_or_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    struct InlineOrText;

    impl<'de> Visitor<'de> for InlineOrText {
        type Value = String;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a calendar (time_zone, days, windows, ...) or its text")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<String, E> {
            let spec = CalendarSpec::parse(text).map_err(E::custom)?;
            check(&spec)?;
            Ok(text.to_owned())
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<String, A::Error> {
            let spec = CalendarSpec::deserialize(MapAccessDeserializer::new(map))?;
            check(&spec)?;
            serde_norway::to_string(&spec).map_err(A::Error::custom)
        }
    }

    deserializer.deserialize_any(InlineOrText)
}

/// Compiles the calendar; which statutory tables there are is the server's matter.
fn check<E: serde::de::Error>(spec: &CalendarSpec) -> Result<(), E> {
    let table = spec
        .statutory_region()
        .and_then(|region| StatutoryTable::new(region, [], []).ok());
    WorkingCalendar::new(spec, table.map(Into::into))
        .map(drop)
        .map_err(E::custom)
}

/// The document without `kind` and `tenant`, and with `channel_kind` as `kind`.
struct Body<'a, D>(D, &'a MessageDescriptor);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Body<'_, D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(BodyVisitor(visitor, self.1))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct BodyVisitor<'a, V>(V, &'a MessageDescriptor);

impl<'de, V: Visitor<'de>> Visitor<'de> for BodyVisitor<'_, V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(formatter)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(BodyFields(map, self.1))
    }
}

struct BodyFields<'a, A>(A, &'a MessageDescriptor);

impl<'de, A: MapAccess<'de>> MapAccess<'de> for BodyFields<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        let mut seed = Some(seed);
        loop {
            match self.0.next_key_seed(BodyKey(&mut seed, self.1))? {
                None => return Ok(None),
                Some(Some(key)) => return Ok(Some(key)),
                Some(None) => self.0.next_value::<IgnoredAny>()?,
            };
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.0.next_value_seed(seed)
    }
}

/// Hands a field's name on to `seed`, or gives `None` for the document's own keys. It refuses unknown fields from inside
/// the YAML parser, which adds the key's position; later only the start of the mapping would be known.
struct BodyKey<'a, K>(&'a mut Option<K>, &'a MessageDescriptor);

impl<'de, K: DeserializeSeed<'de>> DeserializeSeed<'de> for BodyKey<'_, K> {
    type Value = Option<K::Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de, K: DeserializeSeed<'de>> Visitor<'de> for BodyKey<'_, K> {
    type Value = Option<K::Value>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a field name")
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<Self::Value, E> {
        let Self(seed, message) = self;
        let field = match key {
            "kind" | "tenant" => return Ok(None),
            "channel_kind" | "channelKind" => "kind",
            other => other,
        };
        if message.get_field_by_name(field).is_none() && message.get_field_by_json_name(field).is_none() {
            let names: Vec<String> = message.fields().map(|field| field.name().to_owned()).collect();
            let known = names.join(", ");
            return Err(E::custom(format!("unknown field {key:?}; there are {known}")));
        }
        let seed = seed.take().expect("a seed is used for one key");
        seed.deserialize(field.into_deserializer()).map(Some)
    }
}
