//! What happened to leads besides routing.

use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx};
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use crate::domain::ids::{LeadId, MemberId};

/// One thing that happened to a lead.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) lead_id: Uuid,
    pub(crate) id: Uuid,
    pub(crate) time: Timestamp,
    pub(crate) kind: &'static str,
    pub(crate) member: Option<MemberId>,
    pub(crate) detail: String,
}

/// A thing that happened, as stored.
#[derive(Debug, FromRow)]
pub(crate) struct EntryRow {
    pub(crate) time: SqlTimestamp,
    pub(crate) kind: String,
    pub(crate) member: Option<String>,
    pub(crate) detail: String,
}

/// Writes entries.
pub(crate) async fn add(tx: &mut PgConnection, tenant: &TenantId, entries: &[Entry]) -> Result<(), DbError> {
    if entries.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into lead_history (tenant_id, lead_id, entry_id, time, kind, member, detail)
         select $1, * from unnest($2::uuid[], $3::uuid[], $4::timestamptz[], $5::text[], $6::text[], $7::text[])",
    )
    .bind(tenant.as_str())
    .bind(entries.iter().map(|entry| entry.lead_id).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.id).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.time.to_sqlx()).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.kind).collect::<Vec<_>>())
    .bind(
        entries
            .iter()
            .map(|entry| entry.member.as_ref().map(MemberId::id))
            .collect::<Vec<_>>(),
    )
    .bind(entries.iter().map(|entry| entry.detail.as_str()).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

/// Lists what happened to a lead, oldest first.
pub(crate) async fn list(tx: &mut PgConnection, tenant: &TenantId, lead: LeadId) -> Result<Vec<EntryRow>, DbError> {
    let rows = sqlx::query_as(
        "select time, kind, member, detail from lead_history where tenant_id = $1 and lead_id = $2 order by entry_id",
    )
    .bind(tenant.as_str())
    .bind(lead.0)
    .fetch_all(tx)
    .await?;
    Ok(rows)
}
