//! What happened to leads since a time, for rehearsals: read only, a page at a time.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx};
use prost::Message;
use reflex_pg::DbError;
use reflex_proto::leads::v1::RoutingDecision;
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::leads::{LeadRow, lead_columns};
use crate::domain::ids::LeadId;

/// A lead with what is asked for besides its row.
#[derive(Debug, FromRow)]
pub(crate) struct PastRow {
    #[sqlx(flatten)]
    pub(crate) lead: LeadRow,
    pub(crate) close_time: Option<SqlTimestamp>,
}

/// A decision with its place in the order of all.
#[derive(Debug)]
pub(crate) struct DecisionRow {
    pub(crate) id: Uuid,
    pub(crate) time: Timestamp,
    pub(crate) decision: RoutingDecision,
}

/// An entry of a lead's history with its place in the order of all.
#[derive(Debug)]
pub(crate) struct HistoryRow {
    pub(crate) id: Uuid,
    pub(crate) time: Timestamp,
    pub(crate) kind: String,
}

impl HistoryRow {
    /// Returns its place in the order of all.
    pub(crate) fn moment(&self) -> (Timestamp, Uuid) {
        (self.time, self.id)
    }
}

/// What happened to the leads of a page, by lead.
#[derive(Debug, Default)]
pub(crate) struct Happened {
    /// Decisions in their order.
    pub(crate) decisions: HashMap<Uuid, Vec<DecisionRow>>,
    /// Kinds of the history that change who has the lead, in their order.
    pub(crate) history: HashMap<Uuid, Vec<HistoryRow>>,
    /// Steps that were taken, and who was told.
    pub(crate) escalations: HashMap<Uuid, Vec<(i16, String)>>,
}

/// Lets a transaction see one state of the database, and write nothing; before its first statement.
pub(crate) async fn only_look(tx: &mut PgConnection) -> Result<(), DbError> {
    sqlx::query("set transaction isolation level repeatable read, read only")
        .execute(tx)
        .await?;
    Ok(())
}

/// Counts the leads that came, or were open, since `start`.
pub(crate) async fn count(tx: &mut PgConnection, tenant: &TenantId, start: Timestamp) -> Result<i64, DbError> {
    let count = sqlx::query_scalar(
        "select count(*) from leads
         where tenant_id = $1 and (create_time >= $2 or close_time is null or close_time >= $2)",
    )
    .bind(tenant.as_str())
    .bind(start.to_sqlx())
    .fetch_one(tx)
    .await?;
    Ok(count)
}

/// Finds a lead.
pub(crate) async fn find(tx: &mut PgConnection, tenant: &TenantId, lead: LeadId) -> Result<Option<PastRow>, DbError> {
    let row = sqlx::query_as(concat!(
        "select ",
        lead_columns!(),
        ", close_time from leads where tenant_id = $1 and lead_id = $2"
    ))
    .bind(tenant.as_str())
    .bind(lead.0)
    .fetch_optional(tx)
    .await?;
    Ok(row)
}

/// Lists the leads that came, or were open, since `start`, in order of capture, a page after a lead.
pub(crate) async fn list(
    tx: &mut PgConnection,
    tenant: &TenantId,
    start: Timestamp,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<PastRow>, DbError> {
    let rows = sqlx::query_as(concat!(
        "select ",
        lead_columns!(),
        ", close_time from leads
          where tenant_id = $1 and ($3::uuid is null or lead_id > $3)
              and (create_time >= $2 or close_time is null or close_time >= $2)
          order by lead_id limit $4"
    ))
    .bind(tenant.as_str())
    .bind(start.to_sqlx())
    .bind(after)
    .bind(limit)
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

/// Reads what happened to leads.
pub(crate) async fn happened(tx: &mut PgConnection, tenant: &TenantId, leads: &[Uuid]) -> Result<Happened, DbError> {
    let mut happened = Happened::default();
    let decisions: Vec<(Uuid, Uuid, SqlTimestamp, Vec<u8>)> = sqlx::query_as(
        "select lead_id, decision_id, decide_time, decision from routing_decisions
         where tenant_id = $1 and lead_id = any ($2) order by lead_id, decision_id",
    )
    .bind(tenant.as_str())
    .bind(leads)
    .fetch_all(&mut *tx)
    .await?;
    for (lead, id, time, decision) in decisions {
        let decision = RoutingDecision::decode(decision.as_slice());
        let decision = decision.map_err(|error| DbError::Statement(sqlx::Error::Decode(Box::new(error))))?;
        let time = time.to_jiff();
        let row = DecisionRow { id, time, decision };
        happened.decisions.entry(lead).or_default().push(row);
    }
    let history: Vec<(Uuid, Uuid, SqlTimestamp, String)> = sqlx::query_as(
        "select lead_id, entry_id, time, kind from lead_history
         where tenant_id = $1 and lead_id = any ($2) and kind in ('released', 'claim_expired', 'recycled', 'nurtured', 'set_aside',
             'claimed', 'closed')
         order by lead_id, entry_id",
    )
    .bind(tenant.as_str())
    .bind(leads)
    .fetch_all(&mut *tx)
    .await?;
    for (lead, id, time, kind) in history {
        let time = time.to_jiff();
        happened
            .history
            .entry(lead)
            .or_default()
            .push(HistoryRow { id, time, kind });
    }
    let escalations: Vec<(Uuid, i16, String)> = sqlx::query_as(
        "select distinct on (lead_id, step) lead_id, step, audience from escalations
         where tenant_id = $1 and lead_id = any ($2) order by lead_id, step, clock_start desc",
    )
    .bind(tenant.as_str())
    .bind(leads)
    .fetch_all(&mut *tx)
    .await?;
    for (lead, step, audience) in escalations {
        happened.escalations.entry(lead).or_default().push((step, audience));
    }
    Ok(happened)
}
