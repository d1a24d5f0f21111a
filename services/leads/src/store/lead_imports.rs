//! How far imports of leads are.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

/// How far an import is.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(crate) struct Progress {
    /// Rows of the file that are done.
    pub(crate) row_count: i64,
    /// Of the settings and those rows.
    pub(crate) digest: Vec<u8>,
    pub(crate) stored_count: i64,
    pub(crate) existed_count: i64,
    /// Whether the end of the file was reached.
    pub(crate) is_complete: bool,
}

/// Begins an import, unless it was begun before; returns how far it is. `digest` is that of its settings.
pub(crate) async fn begin(
    tx: &mut PgConnection,
    tenant: &TenantId,
    import_id: Uuid,
    digest: &[u8],
    now: Timestamp,
) -> Result<Progress, DbError> {
    sqlx::query(
        "insert into lead_imports (tenant_id, import_id, row_count, digest, stored_count, existed_count, create_time,
             update_time)
         values ($1, $2, 0, $3, 0, 0, $4, $4)
         on conflict do nothing",
    )
    .bind(tenant.as_str())
    .bind(import_id)
    .bind(digest)
    .bind(now.to_sqlx())
    .execute(&mut *tx)
    .await?;
    Ok(sqlx::query_as(
        "select row_count, digest, stored_count, existed_count, complete_time is not null as is_complete
         from lead_imports where tenant_id = $1 and import_id = $2",
    )
    .bind(tenant.as_str())
    .bind(import_id)
    .fetch_one(tx)
    .await?)
}

/// Moves an import on; returns whether it was where `before` says, and not moved by somebody else.
pub(crate) async fn advance(
    tx: &mut PgConnection,
    tenant: &TenantId,
    import_id: Uuid,
    before: &Progress,
    after: &Progress,
    now: Timestamp,
) -> Result<bool, DbError> {
    let moved = sqlx::query(
        "update lead_imports set row_count = $4, digest = $5, stored_count = $6, existed_count = $7, update_time = $8,
             complete_time = case when $9 then $8 end
         where tenant_id = $1 and import_id = $2 and row_count = $3 and complete_time is null",
    )
    .bind(tenant.as_str())
    .bind(import_id)
    .bind(before.row_count)
    .bind(after.row_count)
    .bind(&after.digest)
    .bind(after.stored_count)
    .bind(after.existed_count)
    .bind(now.to_sqlx())
    .bind(after.is_complete)
    .execute(tx)
    .await?;
    Ok(moved.rows_affected() == 1)
}
