//! Routing decisions on record.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use prost::Message;
use reflex_pg::DbError;
use reflex_proto::leads::v1::RoutingDecision;
use reflex_tenancy::TenantId;
use sqlx::PgConnection;
use uuid::Uuid;

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

/// Writes a decision that was not made by routing.
pub(crate) async fn insert(
    tx: &mut PgConnection,
    tenant: &TenantId,
    lead: LeadId,
    id: Uuid,
    (time, decision): (Timestamp, &RoutingDecision),
) -> Result<(), DbError> {
    sqlx::query(
        "insert into routing_decisions (tenant_id, lead_id, decision_id, decide_time, decision)
         values ($1, $2, $3, $4, $5)",
    )
    .bind(tenant.as_str())
    .bind(lead.0)
    .bind(id)
    .bind(time.to_sqlx())
    .bind(decision.encode_to_vec())
    .execute(tx)
    .await?;
    Ok(())
}
