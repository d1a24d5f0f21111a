//! Rows of forms.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgConnection};

use crate::domain::{form::Form, ids::FormId};

/// Says that two forms would have the same write key.
pub(crate) const WRITE_KEY_KEY: &str = "forms_write_key_key";

#[derive(FromRow)]
struct Row {
    form_id: FormId,
    title: String,
    source: String,
    write_key: String,
    allowed_origins: Vec<String>,
    posts_per_minute: i32,
    default_product: String,
    enabled: bool,
}

impl From<Row> for Form {
    fn from(row: Row) -> Self {
        Self {
            id: row.form_id,
            title: row.title,
            source: row.source,
            write_key: Some(row.write_key),
            allowed_origins: row.allowed_origins,
            posts_per_minute: row.posts_per_minute,
            default_product: row.default_product,
            enabled: row.enabled,
        }
    }
}

/// Lists forms by id, `limit` of them after `after`.
pub(crate) async fn list(
    tx: &mut PgConnection,
    tenant: &TenantId,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<Form>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "select form_id, title, source, write_key, allowed_origins, posts_per_minute, default_product, enabled from forms
         where tenant_id = $1 and form_id > coalesce($2, '') order by form_id limit $3",
    )
    .bind(tenant.as_str())
    .bind(after)
    .bind(limit)
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(Form::from).collect())
}

/// Returns a form, if it exists.
pub(crate) async fn find(tx: &mut PgConnection, tenant: &TenantId, form: &FormId) -> Result<Option<Form>, DbError> {
    let row: Option<Row> = sqlx::query_as(
        "select form_id, title, source, write_key, allowed_origins, posts_per_minute, default_product, enabled from forms
         where tenant_id = $1 and form_id = $2",
    )
    .bind(tenant.as_str())
    .bind(form.id())
    .fetch_optional(tx)
    .await?;
    Ok(row.map(Form::from))
}

/// Writes a form with its write key, whether it exists or not.
pub(crate) async fn put(tx: &mut PgConnection, tenant: &TenantId, form: &Form, now: Timestamp) -> Result<(), DbError> {
    sqlx::query(
        "insert into forms (tenant_id, form_id, title, source, write_key, allowed_origins, posts_per_minute,
             default_product, enabled, create_time, update_time)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
         on conflict (tenant_id, form_id) do update
             set title = excluded.title, source = excluded.source, write_key = excluded.write_key,
                 allowed_origins = excluded.allowed_origins, posts_per_minute = excluded.posts_per_minute,
                 default_product = excluded.default_product, enabled = excluded.enabled,
                 update_time = excluded.update_time",
    )
    .bind(tenant.as_str())
    .bind(form.id.id())
    .bind(&form.title)
    .bind(&form.source)
    .bind(&form.write_key)
    .bind(&form.allowed_origins)
    .bind(form.posts_per_minute)
    .bind(&form.default_product)
    .bind(form.enabled)
    .bind(now.to_sqlx())
    .execute(tx)
    .await?;
    Ok(())
}
