//! What other systems saw of leads.

use std::collections::HashSet;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::{ids::LeadId, lead_fact::LeadFact};

/// Keeps the facts that are not there yet; returns their ids.
pub(crate) async fn insert(
    tx: &mut PgConnection,
    tenant: &TenantId,
    lead: LeadId,
    facts: &[LeadFact],
    now: Timestamp,
) -> Result<HashSet<Uuid>, DbError> {
    let written: Vec<Uuid> = sqlx::query_scalar(
        "insert into lead_facts (tenant_id, lead_id, fact_id, kind, object, duration_seconds, occur_time, create_time)
         select $1, $2, *, $8 from unnest($3::uuid[], $4::text[], $5::text[], $6::bigint[], $7::timestamptz[])
         on conflict do nothing returning fact_id",
    )
    .bind(tenant.as_str())
    .bind(lead.0)
    .bind(facts.iter().map(|fact| fact.id).collect::<Vec<_>>())
    .bind(facts.iter().map(|fact| fact.kind.as_str()).collect::<Vec<_>>())
    .bind(facts.iter().map(|fact| fact.object.as_str()).collect::<Vec<_>>())
    .bind(
        facts
            .iter()
            .map(|fact| fact.duration.map(|it| i64::try_from(it.as_secs()).unwrap_or(i64::MAX)))
            .collect::<Vec<_>>(),
    )
    .bind(facts.iter().map(|fact| fact.occur_time.to_sqlx()).collect::<Vec<_>>())
    .bind(now.to_sqlx())
    .fetch_all(tx)
    .await?;
    Ok(written.into_iter().collect())
}
