//! Rows of published schemas, which are only ever added.

use std::collections::HashMap;

use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx};
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgConnection, types::Json};

use crate::domain::{
    form_schema::{Schema, Version},
    ids::FormId,
};

#[derive(FromRow)]
struct Row {
    form_id: FormId,
    version: i32,
    schema: Json<Schema>,
    create_time: SqlTimestamp,
}

impl From<Row> for Version {
    fn from(row: Row) -> Self {
        Self {
            number: row.version,
            schema: row.schema.0,
            create_time: row.create_time.to_jiff(),
        }
    }
}

/// Returns a version of a form, the newest where none is named.
pub(crate) async fn find(
    tx: &mut PgConnection,
    tenant: &TenantId,
    form: &FormId,
    version: Option<i32>,
) -> Result<Option<Version>, DbError> {
    let row: Option<Row> = sqlx::query_as(
        "select form_id, version, schema, create_time from form_versions
         where tenant_id = $1 and form_id = $2 and ($3::integer is null or version = $3)
         order by version desc limit 1",
    )
    .bind(tenant.as_str())
    .bind(form.id())
    .bind(version)
    .fetch_optional(tx)
    .await?;
    Ok(row.map(Version::from))
}

/// Returns the newest version of each of these forms that has one.
pub(crate) async fn newest(
    tx: &mut PgConnection,
    tenant: &TenantId,
    forms: &[&FormId],
) -> Result<HashMap<FormId, Version>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "select distinct on (form_id) form_id, version, schema, create_time from form_versions
         where tenant_id = $1 and form_id = any ($2) order by form_id, version desc",
    )
    .bind(tenant.as_str())
    .bind(forms.iter().map(|form| form.id()).collect::<Vec<_>>())
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(|row| (row.form_id.clone(), row.into())).collect())
}

/// Lists the versions of a form before `before`, newest first.
pub(crate) async fn list(
    tx: &mut PgConnection,
    tenant: &TenantId,
    form: &FormId,
    before: Option<i32>,
    limit: i64,
) -> Result<Vec<Version>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "select form_id, version, schema, create_time from form_versions
         where tenant_id = $1 and form_id = $2 and ($3::integer is null or version < $3)
         order by version desc limit $4",
    )
    .bind(tenant.as_str())
    .bind(form.id())
    .bind(before)
    .bind(limit)
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(Version::from).collect())
}

/// Adds a version.
pub(crate) async fn insert(
    tx: &mut PgConnection,
    tenant: &TenantId,
    form: &FormId,
    version: &Version,
) -> Result<(), DbError> {
    sqlx::query(
        "insert into form_versions (tenant_id, form_id, version, schema, create_time) values ($1, $2, $3, $4, $5)",
    )
    .bind(tenant.as_str())
    .bind(form.id())
    .bind(version.number)
    .bind(Json(&version.schema))
    .bind(version.create_time.to_sqlx())
    .execute(tx)
    .await?;
    Ok(())
}
