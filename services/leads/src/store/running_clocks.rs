//! Timers of running clocks, and the due times leads show.

use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx};
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use reflex_timers::Timer;
use sqlx::PgConnection;

use crate::domain::ids::LeadId;

/// Timer of the claim fuse; key `leads/{lead}/{fencing token}`.
pub(crate) const CLAIM_DUE: &str = "claim_due";
/// Timer of a step of the ladder; key `leads/{lead}/{step}`.
pub(crate) const LADDER_STEP: &str = "ladder_step";

type Row = (String, String, SqlTimestamp, serde_json::Value, Option<String>);

/// Lists and locks the tenant's timers of these kinds.
pub(crate) async fn list(tx: &mut PgConnection, tenant: &TenantId, kinds: &[&str]) -> Result<Vec<Timer>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "select kind, key, due_time, payload, traceparent from timers where tenant_id = $1 and kind = any ($2)
         order by kind, key for update",
    )
    .bind(tenant.as_str())
    .bind(kinds)
    .fetch_all(tx)
    .await?;
    let timer = |(kind, key, due_time, payload, traceparent): Row| Timer {
        tenant: tenant.clone(),
        kind,
        key,
        due_time: due_time.to_jiff(),
        payload,
        traceparent,
    };
    Ok(rows.into_iter().map(timer).collect())
}

/// Counts the steps of a lead's ladder that are still ahead.
pub(crate) async fn count_steps(tx: &mut PgConnection, tenant: &TenantId, lead: LeadId) -> Result<i64, DbError> {
    // Keys from "leads/{lead}/" up to, not including, "leads/{lead}0": the character after the slash.
    let steps = sqlx::query_scalar(
        "select coalesce(sum(1 + jsonb_array_length(payload -> 'then')), 0)::bigint from timers
         where tenant_id = $1 and kind = $2 and key >= $3 || '/' and key < $3 || '0'",
    )
    .bind(tenant.as_str())
    .bind(LADDER_STEP)
    .bind(lead.to_string())
    .fetch_one(tx)
    .await?;
    Ok(steps)
}

/// A lead's due times computed anew; what is `None` stays.
#[derive(Debug)]
pub(crate) struct NewDue {
    pub(crate) lead: LeadId,
    pub(crate) claim_due: Option<Timestamp>,
    pub(crate) contact_due: Option<Timestamp>,
    pub(crate) provisional: bool,
}

/// Shows leads' new due times.
pub(crate) async fn set_due(tx: &mut PgConnection, tenant: &TenantId, leads: &[NewDue]) -> Result<(), DbError> {
    let time = |at: Option<Timestamp>| at.map(ToSqlx::to_sqlx);
    sqlx::query(
        "with due as (
             select lead_id, max(claim_due) as claim_due, max(contact_due) as contact_due, bool_or(provisional) as provisional
             from unnest($2::uuid[], $3::timestamptz[], $4::timestamptz[], $5::boolean[])
                 as due (lead_id, claim_due, contact_due, provisional)
             group by lead_id
         )
         update leads l set claim_due_time = coalesce(due.claim_due, l.claim_due_time),
             contact_due_time = coalesce(due.contact_due, l.contact_due_time), due_provisional = due.provisional
         from due where l.tenant_id = $1 and l.lead_id = due.lead_id",
    )
    .bind(tenant.as_str())
    .bind(leads.iter().map(|due| due.lead.0).collect::<Vec<_>>())
    .bind(leads.iter().map(|due| time(due.claim_due)).collect::<Vec<_>>())
    .bind(leads.iter().map(|due| time(due.contact_due)).collect::<Vec<_>>())
    .bind(leads.iter().map(|due| due.provisional).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

/// Locks the timers of leads, before the leads are locked: who fires one holds it first, too.
pub(crate) async fn lock(tx: &mut PgConnection, tenant: &TenantId, leads: &[LeadId]) -> Result<(), DbError> {
    sqlx::query(
        "select from timers t join unnest($2::text[]) as asked (lead)
             on t.key >= asked.lead || '/' and t.key < asked.lead || '0'
         where t.tenant_id = $1 and t.kind = any ($3) order by t.kind, t.key for update of t",
    )
    .bind(tenant.as_str())
    .bind(leads.iter().map(ToString::to_string).collect::<Vec<_>>())
    .bind([CLAIM_DUE, LADDER_STEP])
    .execute(tx)
    .await?;
    Ok(())
}

/// Stops a lead's timers, and returns them as rows.
pub(crate) async fn stop(
    tx: &mut PgConnection,
    tenant: &TenantId,
    lead: LeadId,
) -> Result<Vec<serde_json::Value>, DbError> {
    let rows = sqlx::query_scalar(
        "delete from timers t where tenant_id = $1 and kind = any ($3) and key >= $2 || '/' and key < $2 || '0'
         returning to_jsonb(t)",
    )
    .bind(tenant.as_str())
    .bind(lead.to_string())
    .bind([CLAIM_DUE, LADDER_STEP])
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

/// Lets timers that were stopped go on, as they were.
pub(crate) async fn go_on(tx: &mut PgConnection, tenant: &TenantId, rows: &[serde_json::Value]) -> Result<(), DbError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into timers select r.* from unnest($2::jsonb[]) as stopped (timer)
         cross join lateral jsonb_populate_record(null::timers, stopped.timer) r
         where r.tenant_id = $1 order by r.kind, r.key
         on conflict do nothing",
    )
    .bind(tenant.as_str())
    .bind(rows)
    .execute(tx)
    .await?;
    Ok(())
}
