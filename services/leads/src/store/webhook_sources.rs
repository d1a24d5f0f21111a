//! Rows of sources of signed bodies.

use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx};
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgConnection};

use crate::domain::{ids::WebhookSourceId, webhook::WebhookSource};

/// A source as stored.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) source: WebhookSource,
    /// Sealed.
    pub(crate) secret: Vec<u8>,
    pub(crate) update_time: Timestamp,
}

#[derive(FromRow)]
struct Row {
    webhook_source_id: WebhookSourceId,
    source: String,
    secret: Vec<u8>,
    mapping: String,
    default_product: String,
    posts_per_minute: i32,
    enabled: bool,
    update_time: SqlTimestamp,
}

impl From<Row> for Stored {
    fn from(row: Row) -> Self {
        Self {
            source: WebhookSource {
                id: row.webhook_source_id,
                source: row.source,
                mapping: row.mapping,
                default_product: row.default_product,
                posts_per_minute: row.posts_per_minute,
                enabled: row.enabled,
            },
            secret: row.secret,
            update_time: row.update_time.to_jiff(),
        }
    }
}

/// Finds a source.
pub(crate) async fn find(
    tx: &mut PgConnection,
    tenant: &TenantId,
    id: &WebhookSourceId,
) -> Result<Option<Stored>, DbError> {
    let row: Option<Row> = sqlx::query_as(
        "select webhook_source_id, source, secret, mapping, default_product, posts_per_minute, enabled, update_time
         from webhook_sources where tenant_id = $1 and webhook_source_id = $2",
    )
    .bind(tenant.as_str())
    .bind(id.id())
    .fetch_optional(tx)
    .await?;
    Ok(row.map(Stored::from))
}

/// Lists sources by id, `limit` of them after `after`.
pub(crate) async fn list(
    tx: &mut PgConnection,
    tenant: &TenantId,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<Stored>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "select webhook_source_id, source, secret, mapping, default_product, posts_per_minute, enabled, update_time
         from webhook_sources where tenant_id = $1 and webhook_source_id > coalesce($2, '')
         order by webhook_source_id limit $3",
    )
    .bind(tenant.as_str())
    .bind(after)
    .bind(limit)
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(Stored::from).collect())
}

/// Writes a source, whether it exists or not.
pub(crate) async fn put(tx: &mut PgConnection, tenant: &TenantId, stored: &Stored) -> Result<(), DbError> {
    let source = &stored.source;
    sqlx::query(
        "insert into webhook_sources (tenant_id, webhook_source_id, source, secret, mapping, default_product,
             posts_per_minute, enabled, create_time, update_time)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)
         on conflict (tenant_id, webhook_source_id) do update
             set source = excluded.source, secret = excluded.secret, mapping = excluded.mapping,
                 default_product = excluded.default_product, posts_per_minute = excluded.posts_per_minute,
                 enabled = excluded.enabled, update_time = excluded.update_time",
    )
    .bind(tenant.as_str())
    .bind(source.id.id())
    .bind(&source.source)
    .bind(&stored.secret)
    .bind(&source.mapping)
    .bind(&source.default_product)
    .bind(source.posts_per_minute)
    .bind(source.enabled)
    .bind(stored.update_time.to_sqlx())
    .execute(tx)
    .await?;
    Ok(())
}
