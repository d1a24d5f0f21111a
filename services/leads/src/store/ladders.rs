//! Rows of escalation ladders.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::{PgConnection, types::Json};

use crate::domain::{ids::ProductId, ladder::Ladder};

/// Lists ladders by id, `limit` of them after `after`; all without a limit.
pub(crate) async fn list(
    tx: &mut PgConnection,
    tenant: &TenantId,
    after: Option<&str>,
    limit: Option<i64>,
) -> Result<Vec<Ladder>, DbError> {
    let ladders: Vec<Json<Ladder>> = sqlx::query_scalar(
        "select definition from ladders
         where tenant_id = $1 and ladder_id > coalesce($2, '') order by ladder_id limit $3",
    )
    .bind(tenant.as_str())
    .bind(after)
    .bind(limit)
    .fetch_all(tx)
    .await?;
    Ok(ladders.into_iter().map(|Json(ladder)| ladder).collect())
}

/// Writes a ladder, whether it exists or not.
pub(crate) async fn put(
    tx: &mut PgConnection,
    tenant: &TenantId,
    ladder: &Ladder,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "insert into ladders (tenant_id, ladder_id, product, definition, create_time, update_time)
         values ($1, $2, $3, $4, $5, $5)
         on conflict (tenant_id, ladder_id) do update
             set product = excluded.product, definition = excluded.definition, update_time = excluded.update_time",
    )
    .bind(tenant.as_str())
    .bind(ladder.id.id())
    .bind(ladder.product.as_ref().map_or("", ProductId::id))
    .bind(Json(ladder))
    .bind(now.to_sqlx())
    .execute(tx)
    .await?;
    Ok(())
}
