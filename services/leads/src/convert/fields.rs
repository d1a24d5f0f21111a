//! Calculated fields and their values between messages, domain types and what tables keep.

use prost_types::value::Kind;
use reflex_expr::{Lang, Type};
use reflex_proto::leads::v1::{self as pb, calculated_field};
use serde_json::Value as Json;

use crate::{
    convert::timestamp,
    domain::{
        calculated::{Entity, Outcome, check::RawDefinition},
        violation::Violation,
    },
    store::calculated_fields::{FieldRow, VersionRow},
};

/// Converts a sent definition to what the domain checks.
///
/// # Errors
/// When its entity is none we know.
pub(crate) fn raw_definition(field: &pb::CalculatedField) -> Result<RawDefinition, Violation> {
    let entity = match calculated_field::Entity::try_from(field.entity) {
        Ok(calculated_field::Entity::Unspecified) => None,
        Ok(calculated_field::Entity::Lead) => Some(Entity::Lead),
        Ok(calculated_field::Entity::Account) => Some(Entity::Account),
        Err(_) => {
            return Err(Violation {
                field: "field.entity".into(),
                description: "is no known entity".into(),
            });
        }
    };
    Ok(RawDefinition {
        name: field.name.clone(),
        entity,
        field_name: field.field_name.clone(),
        alias: field.alias.clone(),
        formula: field.formula.clone(),
    })
}

/// Converts a field; `recomputing` are the entities whose values are being calculated anew.
pub(crate) fn field(row: &FieldRow, recomputing: &[Entity]) -> pb::CalculatedField {
    let entity = match row.entity() {
        Entity::Lead => calculated_field::Entity::Lead,
        Entity::Account => calculated_field::Entity::Account,
    };
    pb::CalculatedField {
        name: row.id().to_string(),
        entity: entity.into(),
        field_name: row.field_name.clone(),
        alias: row.alias.clone(),
        formula: row.formula.clone(),
        r#type: kind(row.kind()).into(),
        version: row.version,
        ready: row.ready,
        recomputing: recomputing.contains(&row.entity()),
        update_time: Some(timestamp(row.update_time.to_jiff())),
    }
}

/// Shows a field as an earlier version of it said.
pub(crate) fn as_of(mut field: pb::CalculatedField, version: i32, row: VersionRow) -> pb::CalculatedField {
    field.version = version;
    field.update_time = Some(timestamp(row.create_time.to_jiff()));
    (field.field_name, field.alias, field.formula) = (row.field_name, row.alias, row.formula);
    field
}

/// Converts the type of a result.
pub(crate) fn kind(kind: Type) -> calculated_field::Type {
    match kind {
        Type::Bool => calculated_field::Type::Bool,
        Type::Number => calculated_field::Type::Number,
        Type::Text => calculated_field::Type::Text,
        Type::Date => calculated_field::Type::Date,
        Type::Time => calculated_field::Type::Time,
        Type::List(_) => calculated_field::Type::Unspecified,
    }
}

/// Converts the values kept with a record, in the order of the fields' names.
pub(crate) fn values(kept: Option<&Json>) -> Vec<pb::CalculatedValue> {
    let values = kept.and_then(Json::as_object).into_iter().flatten();
    values.map(|(field, json)| value(field, json)).collect()
}

/// Converts an outcome.
pub(crate) fn outcome(field: &str, outcome: &Outcome) -> pb::CalculatedValue {
    match outcome {
        Ok(it) => value(field, &it.to_json()),
        Err(error) => pb::CalculatedValue {
            field: field.to_owned(),
            value: Some(prost_value(&Json::Null)),
            error_zh: error.text(Lang::Zh),
            error_en: error.text(Lang::En),
        },
    }
}

/// Converts a kept value, which is an object where it says why there is none.
pub(crate) fn value(field: &str, json: &Json) -> pb::CalculatedValue {
    let reason = |lang: &str| json.get(lang).and_then(Json::as_str).unwrap_or_default().to_owned();
    pb::CalculatedValue {
        field: field.to_owned(),
        value: Some(prost_value(json)),
        error_zh: reason("zh"),
        error_en: reason("en"),
    }
}

fn prost_value(json: &Json) -> prost_types::Value {
    let kind = match json {
        Json::Bool(value) => Kind::BoolValue(*value),
        Json::Number(number) => number.as_f64().map_or(Kind::NullValue(0), Kind::NumberValue),
        Json::String(text) => Kind::StringValue(text.clone()),
        Json::Null | Json::Array(_) | Json::Object(_) => Kind::NullValue(0),
    };
    prost_types::Value { kind: Some(kind) }
}
