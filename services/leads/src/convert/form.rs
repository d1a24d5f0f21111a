//! Forms.

use reflex_proto::leads::v1::{self as pb, form_field};

use super::timestamp;
use crate::domain::{
    form::{Form, RawForm},
    form_schema::{Choice, Field, Kind, LeadField, RawField, Schema, Text, Version},
    ids::FormId,
    violation::Violation,
};

/// Converts a sent form to what the domain checks.
pub(crate) fn raw_form(message: &pb::Form) -> RawForm {
    RawForm {
        name: message.name.clone(),
        title: message.title.clone(),
        source: message.source.clone(),
        write_key: message.write_key.clone(),
        allowed_origins: message.allowed_origins.clone(),
        posts_per_minute: message.posts_per_minute,
        default_product: message.default_product.clone(),
        enabled: message.enabled,
    }
}

/// Converts a form, with its newest version if it has one, to its message.
pub(crate) fn form(form: &Form, newest: Option<&Version>) -> pb::Form {
    pb::Form {
        name: form.id.to_string(),
        title: form.title.clone(),
        source: form.source.clone(),
        write_key: form.write_key.clone().unwrap_or_default(),
        allowed_origins: form.allowed_origins.clone(),
        posts_per_minute: form.posts_per_minute,
        default_product: form.default_product.clone(),
        enabled: form.enabled,
        schema: newest.map(|version| schema(&version.schema)),
        version: newest.map_or(0, |version| version.number),
    }
}

/// A field's kinds, as messages and the domain say them.
const KINDS: [(form_field::Kind, Kind); 8] = [
    (form_field::Kind::ShortText, Kind::ShortText),
    (form_field::Kind::LongText, Kind::LongText),
    (form_field::Kind::Phone, Kind::Phone),
    (form_field::Kind::Email, Kind::Email),
    (form_field::Kind::SingleSelect, Kind::SingleSelect),
    (form_field::Kind::MultiSelect, Kind::MultiSelect),
    (form_field::Kind::NumberRange, Kind::NumberRange),
    (form_field::Kind::Urgency, Kind::Urgency),
];

/// Fields of a lead, as messages and the domain say them.
const LEAD_FIELDS: [(pb::LeadField, LeadField); 10] = [
    (pb::LeadField::Company, LeadField::Company),
    (pb::LeadField::ContactName, LeadField::ContactName),
    (pb::LeadField::Phone, LeadField::Phone),
    (pb::LeadField::Email, LeadField::Email),
    (pb::LeadField::Territory, LeadField::Territory),
    (pb::LeadField::Product, LeadField::Product),
    (pb::LeadField::Remark, LeadField::Remark),
    (pb::LeadField::Account, LeadField::Account),
    (pb::LeadField::Urgency, LeadField::Urgency),
    (pb::LeadField::Budget, LeadField::Budget),
];

/// Reads a sent schema. Fields of the violations start with `path`.
///
/// # Errors
/// Returns everything that is wrong with it.
pub(crate) fn parse_schema(path: &str, message: &pb::FormSchema) -> Result<Schema, Vec<Violation>> {
    let fields = message.fields.iter().enumerate().map(|(at, field)| {
        let fills = domain_of(&LEAD_FIELDS, field.fills);
        if fills.is_none() && field.fills != 0 {
            return Err(vec![Violation {
                field: format!("{path}.fields[{at}].fills"),
                description: "is no known field of a lead".into(),
            }]);
        }
        Ok(RawField {
            id: field.id.clone(),
            kind: domain_of(&KINDS, field.kind),
            label: text(field.label.as_ref()),
            hint: text(field.hint.as_ref()),
            required: field.required,
            options: field.options.iter().map(choice).collect(),
            max_length: field.max_length,
            minimum: field.minimum,
            maximum: field.maximum,
            fills,
        })
    });
    Schema::parse(path, fields.collect::<Result<_, _>>()?)
}

fn choice(message: &pb::FormOption) -> Choice {
    Choice {
        value: message.value.clone(),
        label: text(message.label.as_ref()),
    }
}

fn text(message: Option<&pb::FormText>) -> Text {
    let pb::FormText { zh, en } = message.cloned().unwrap_or_default();
    Text { zh, en }
}

fn schema(schema: &Schema) -> pb::FormSchema {
    pb::FormSchema {
        fields: schema.fields.iter().map(field).collect(),
    }
}

fn field(field: &Field) -> pb::FormField {
    let option = |choice: &Choice| pb::FormOption {
        value: choice.value.clone(),
        label: text_message(&choice.label),
    };
    pb::FormField {
        id: field.id.clone(),
        kind: message_of(&KINDS, field.kind),
        label: text_message(&field.label),
        hint: text_message(&field.hint),
        required: field.required,
        options: field.options.iter().map(option).collect(),
        max_length: field.max_length,
        minimum: field.minimum,
        maximum: field.maximum,
        fills: field.fills.map_or(0, |fills| message_of(&LEAD_FIELDS, fills)),
    }
}

/// An empty text was not sent and is not shown.
fn text_message(text: &Text) -> Option<pb::FormText> {
    (*text != Text::default()).then(|| pb::FormText {
        zh: text.zh.clone(),
        en: text.en.clone(),
    })
}

fn domain_of<E: Copy + Into<i32>, D: Copy>(table: &[(E, D)], value: i32) -> Option<D> {
    let found = table.iter().find(|(message, _)| (*message).into() == value);
    found.map(|(_, known)| *known)
}

fn message_of<E: Copy + Into<i32>, D: Copy + PartialEq>(table: &[(E, D)], value: D) -> i32 {
    let found = table.iter().find(|(_, known)| *known == value);
    found.map_or(0, |(message, _)| (*message).into())
}

/// Converts a version of a form to its message.
pub(crate) fn version(form: &FormId, version: &Version) -> pb::FormVersion {
    pb::FormVersion {
        name: format!("{form}/versions/{}", version.number),
        version: version.number,
        schema: Some(schema(&version.schema)),
        create_time: Some(timestamp(version.create_time)),
    }
}
