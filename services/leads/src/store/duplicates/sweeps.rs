//! Tenants all of whose leads are to be compared.

use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::store::reroute::intake_shard;

/// Starts to compare all leads of a tenant, also where that is under way.
pub(crate) async fn sweep(tx: &mut PgConnection, tenant: &TenantId) -> Result<(), DbError> {
    sqlx::query(
        "insert into duplicate_sweeps (tenant_id, shard) values ($1, $2)
         on conflict (tenant_id) do update set cursor = null",
    )
    .bind(tenant.as_str())
    .bind(intake_shard(tenant))
    .execute(tx)
    .await?;
    Ok(())
}

/// Takes the next leads of a sweep, and notes how far it has come; none at its end, when it is over.
pub(crate) async fn take_swept(tx: &mut PgConnection, tenant: &TenantId, most: i64) -> Result<Vec<Uuid>, DbError> {
    let cursor: Option<Option<Uuid>> =
        sqlx::query_scalar("select cursor from duplicate_sweeps where tenant_id = $1 for update")
            .bind(tenant.as_str())
            .fetch_optional(&mut *tx)
            .await?;
    let Some(cursor) = cursor else { return Ok(Vec::new()) };
    let leads: Vec<Uuid> =
        sqlx::query_scalar("select lead_id from leads where tenant_id = $1 and lead_id > $2 order by lead_id limit $3")
            .bind(tenant.as_str())
            .bind(cursor.unwrap_or_default())
            .bind(most)
            .fetch_all(&mut *tx)
            .await?;
    let statement = if leads.is_empty() {
        "delete from duplicate_sweeps where tenant_id = $1 and $2::uuid is null"
    } else {
        "update duplicate_sweeps set cursor = $2 where tenant_id = $1"
    };
    sqlx::query(statement)
        .bind(tenant.as_str())
        .bind(leads.last())
        .execute(tx)
        .await?;
    Ok(leads)
}
