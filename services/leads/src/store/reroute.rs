//! Reasons to look at waiting leads again.

use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::{decision::Trigger, ids::TeamId};

/// Shards of the intake loop; a tenant belongs to one.
pub(crate) const INTAKE_SHARDS: i16 = 4;

/// Returns the intake shard of a tenant.
pub(crate) fn intake_shard(tenant: &TenantId) -> i16 {
    reflex_events::envelope::shard_of(tenant, "", INTAKE_SHARDS)
}

/// Asks the intake loop to look at leads that wait for `team`, or at all of the tenant's.
pub(crate) async fn request(
    tx: &mut PgConnection,
    tenant: &TenantId,
    trigger: Trigger,
    team: Option<&TeamId>,
) -> Result<(), DbError> {
    sqlx::query("insert into reroute_requests (tenant_id, shard, trigger, team) values ($1, $2, $3, $4)")
        .bind(tenant.as_str())
        .bind(intake_shard(tenant))
        .bind(trigger.as_str())
        .bind(team.map(TeamId::id))
        .execute(tx)
        .await?;
    Ok(())
}

/// Has a waiting lead tried by itself from now on, as long as that fails.
pub(crate) async fn request_apart(
    tx: &mut PgConnection,
    tenant: &TenantId,
    trigger: Trigger,
    lead: Uuid,
) -> Result<(), DbError> {
    sqlx::query(
        "insert into reroute_requests (tenant_id, shard, trigger, lead_id, apart) values ($1, $2, $3, $4, true)
         on conflict (tenant_id, lead_id) where apart do nothing",
    )
    .bind(tenant.as_str())
    .bind(intake_shard(tenant))
    .bind(trigger.as_str())
    .bind(lead)
    .execute(tx)
    .await?;
    Ok(())
}

/// Asks the intake loop to route these waiting leads anew.
pub(crate) async fn request_leads(
    tx: &mut PgConnection,
    tenant: &TenantId,
    trigger: Trigger,
    leads: &[Uuid],
) -> Result<(), DbError> {
    sqlx::query(
        "insert into reroute_requests (tenant_id, shard, trigger, lead_id)
         select $1, $2, $3, unnest($4::uuid[])",
    )
    .bind(tenant.as_str())
    .bind(intake_shard(tenant))
    .bind(trigger.as_str())
    .bind(leads)
    .execute(tx)
    .await?;
    Ok(())
}
