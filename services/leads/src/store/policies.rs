//! Rows of routing policies.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::{PgConnection, types::Json};

use crate::domain::routing::PolicySpec;

/// Returns a version of the policy, the active one for `None`, if it exists.
pub(crate) async fn find(
    tx: &mut PgConnection,
    tenant: &TenantId,
    version: Option<i32>,
) -> Result<Option<(i32, PolicySpec)>, DbError> {
    let row: Option<(i32, Json<PolicySpec>)> = sqlx::query_as(
        "select version, definition from routing_policies
         where tenant_id = $1 and ($2::integer is null or version = $2) order by version desc limit 1",
    )
    .bind(tenant.as_str())
    .bind(version)
    .fetch_optional(tx)
    .await?;
    Ok(row.map(|(version, Json(spec))| (version, spec)))
}

/// Writes a new version.
pub(crate) async fn insert(
    tx: &mut PgConnection,
    tenant: &TenantId,
    version: i32,
    spec: &PolicySpec,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query("insert into routing_policies (tenant_id, version, definition, create_time) values ($1, $2, $3, $4)")
        .bind(tenant.as_str())
        .bind(version)
        .bind(Json(spec))
        .bind(now.to_sqlx())
        .execute(tx)
        .await?;
    Ok(())
}
