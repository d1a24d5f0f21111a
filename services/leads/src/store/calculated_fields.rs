//! Rows of calculated fields and their versions.

use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx};
use reflex_expr::Type;
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgConnection};

use super::leads::stored;
use crate::domain::{
    calculated::{Definition, Entity},
    ids::CalculatedFieldId,
};

/// A field as stored.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct FieldRow {
    field_id: String,
    pub(crate) field_key: i64,
    entity: String,
    pub(crate) version: i32,
    pub(crate) field_name: String,
    pub(crate) alias: String,
    pub(crate) formula: String,
    #[sqlx(rename = "type")]
    kind: String,
    pub(crate) ready: bool,
    pub(crate) update_time: SqlTimestamp,
}

impl FieldRow {
    /// Returns the field's id.
    pub(crate) fn id(&self) -> CalculatedFieldId {
        stored(&self.field_id)
    }

    /// Returns whose field it is.
    pub(crate) fn entity(&self) -> Entity {
        Entity::find(&self.entity).expect("the table's check allows known entities only")
    }

    /// Returns what it results in.
    pub(crate) fn kind(&self) -> Type {
        Type::try_from(self.kind.clone()).expect("only types are stored")
    }

    fn definition(self) -> Definition {
        Definition {
            key: self.field_key,
            id: self.id(),
            version: self.version,
            entity: self.entity(),
            kind: self.kind(),
            field_name: self.field_name,
            alias: self.alias,
            formula: self.formula,
        }
    }
}

/// Lists the present definitions, the oldest field first.
pub(crate) async fn list_definitions(tx: &mut PgConnection, tenant: &TenantId) -> Result<Vec<Definition>, DbError> {
    let rows: Vec<FieldRow> = sqlx::query_as(
        "select field_id, field_key, entity, version, field_name, alias, formula, type, ready, update_time
         from calculated_fields where tenant_id = $1 order by field_key",
    )
    .bind(tenant.as_str())
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(FieldRow::definition).collect())
}

/// Lists fields by id, `limit` of them after `after`.
pub(crate) async fn list(
    tx: &mut PgConnection,
    tenant: &TenantId,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<FieldRow>, DbError> {
    let rows = sqlx::query_as(
        "select field_id, field_key, entity, version, field_name, alias, formula, type, ready, update_time
         from calculated_fields where tenant_id = $1 and field_id > coalesce($2, '') order by field_id limit $3",
    )
    .bind(tenant.as_str())
    .bind(after)
    .bind(limit)
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

/// Finds a field by its id.
pub(crate) async fn find(
    tx: &mut PgConnection,
    tenant: &TenantId,
    id: &CalculatedFieldId,
) -> Result<Option<FieldRow>, DbError> {
    let row = sqlx::query_as(
        "select field_id, field_key, entity, version, field_name, alias, formula, type, ready, update_time
         from calculated_fields where tenant_id = $1 and field_id = $2",
    )
    .bind(tenant.as_str())
    .bind(id.id())
    .fetch_optional(tx)
    .await?;
    Ok(row)
}

/// A definition as one version of a field said it.
#[derive(Debug, FromRow)]
pub(crate) struct VersionRow {
    pub(crate) field_name: String,
    pub(crate) alias: String,
    pub(crate) formula: String,
    pub(crate) create_time: SqlTimestamp,
}

/// Finds a version of a field.
pub(crate) async fn find_version(
    tx: &mut PgConnection,
    tenant: &TenantId,
    key: i64,
    version: i32,
) -> Result<Option<VersionRow>, DbError> {
    let row = sqlx::query_as(
        "select field_name, alias, formula, create_time from calculated_field_versions
         where tenant_id = $1 and field_key = $2 and version = $3",
    )
    .bind(tenant.as_str())
    .bind(key)
    .bind(version)
    .fetch_optional(tx)
    .await?;
    Ok(row)
}

/// Writes the next version of a field, or a field with its first; the definition's own key does not count. Returns the field
/// as it is then.
pub(crate) async fn put(
    tx: &mut PgConnection,
    tenant: &TenantId,
    definition: &Definition,
    now: Timestamp,
) -> Result<FieldRow, DbError> {
    let row = sqlx::query_as(
        "with field as (
             insert into calculated_fields as f
                 (tenant_id, field_id, entity, version, field_name, alias, formula, type, update_time)
             values ($1, $2, $3, 1, $4, $5, $6, $7, $8)
             on conflict (tenant_id, field_id) do update set version = f.version + 1, field_name = excluded.field_name,
                 alias = excluded.alias, formula = excluded.formula, update_time = excluded.update_time
             returning *
         ), recorded as (
             insert into calculated_field_versions (tenant_id, field_key, version, field_name, alias, formula, create_time)
             select tenant_id, field_key, version, field_name, alias, formula, update_time from field
         )
         select field_id, field_key, entity, version, field_name, alias, formula, type, ready, update_time from field",
    )
    .bind(tenant.as_str())
    .bind(definition.id.id())
    .bind(definition.entity.as_str())
    .bind(&definition.field_name)
    .bind(&definition.alias)
    .bind(&definition.formula)
    .bind(definition.kind.name())
    .bind(now.to_sqlx())
    .fetch_one(tx)
    .await?;
    Ok(row)
}

/// Deletes a field; its versions stay on record.
pub(crate) async fn delete(tx: &mut PgConnection, tenant: &TenantId, key: i64) -> Result<(), DbError> {
    sqlx::query("delete from calculated_fields where tenant_id = $1 and field_key = $2")
        .bind(tenant.as_str())
        .bind(key)
        .execute(tx)
        .await?;
    Ok(())
}

/// Notes that every lead or account has a value of every field.
pub(crate) async fn set_ready(tx: &mut PgConnection, tenant: &TenantId, entity: Entity) -> Result<(), DbError> {
    sqlx::query("update calculated_fields set ready = true where tenant_id = $1 and entity = $2 and not ready")
        .bind(tenant.as_str())
        .bind(entity.as_str())
        .execute(tx)
        .await?;
    Ok(())
}

/// Finds a field by its name or alias, and whether it is ready.
pub(crate) async fn find_named(
    tx: &mut PgConnection,
    tenant: &TenantId,
    entity: Entity,
    name: &str,
) -> Result<Option<(i64, bool)>, DbError> {
    let found = sqlx::query_as(
        "select field_key, ready from calculated_fields
         where tenant_id = $1 and entity = $2 and (field_name = $3 or (alias = $3 and alias <> ''))",
    )
    .bind(tenant.as_str())
    .bind(entity.as_str())
    .bind(name)
    .fetch_optional(tx)
    .await?;
    Ok(found)
}
