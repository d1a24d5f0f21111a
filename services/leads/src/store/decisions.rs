//! Routing decisions on record.

use prost::Message;
use reflex_pg::DbError;
use reflex_proto::leads::v1::RoutingDecision;
use reflex_tenancy::TenantId;
use sqlx::PgConnection;

use crate::domain::ids::LeadId;

/// Lists every decision about a lead, oldest first.
pub(crate) async fn list(
    tx: &mut PgConnection,
    tenant: &TenantId,
    lead: LeadId,
) -> Result<Vec<RoutingDecision>, DbError> {
    let encoded: Vec<Vec<u8>> = sqlx::query_scalar(
        "select decision from routing_decisions where tenant_id = $1 and lead_id = $2 order by decision_id",
    )
    .bind(tenant.as_str())
    .bind(lead.0)
    .fetch_all(tx)
    .await?;
    Ok(encoded
        .iter()
        .filter_map(|bytes| RoutingDecision::decode(bytes.as_slice()).ok())
        .collect())
}
