//! What the gate said of leads, and which leads are kept from salespeople.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx};
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgConnection, types::Json};
use uuid::Uuid;

use crate::domain::{
    gate::{Judgement, Seen},
    ids::LeadId,
    lead::State,
    validity::Validity,
};

/// Facts of a lead that are looked at, the latest ones.
const MOST_FACTS: i64 = 500;

/// What is stored of a lead.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct GateRow {
    pub(crate) verdict: Option<String>,
    pub(crate) judgement: Option<Json<Judgement>>,
    pub(crate) evaluate_time: Option<SqlTimestamp>,
    pub(crate) since: SqlTimestamp,
    pub(crate) kept_for: Option<String>,
    pub(crate) validity: Option<Json<Validity>>,
}

/// What is to be stored of a lead that was judged.
#[derive(Debug, Clone)]
pub(crate) struct Judged {
    pub(crate) lead: LeadId,
    /// What the gate said; `None` where it was not asked.
    pub(crate) judgement: Option<Judgement>,
    /// What the lead looked like, where that is to be kept.
    pub(crate) validity: Option<Validity>,
    pub(crate) since: Timestamp,
    pub(crate) kept_for: Option<&'static str>,
    pub(crate) domain: String,
}

/// Finds what is stored of a lead.
pub(crate) async fn find(tx: &mut PgConnection, tenant: &TenantId, lead: LeadId) -> Result<Option<GateRow>, DbError> {
    let row = sqlx::query_as(
        "select verdict, judgement, evaluate_time, since, kept_for, validity from lead_gates
         where tenant_id = $1 and lead_id = $2",
    )
    .bind(tenant.as_str())
    .bind(lead.0)
    .fetch_optional(tx)
    .await?;
    Ok(row)
}

/// Writes what was judged.
pub(crate) async fn save(
    tx: &mut PgConnection,
    tenant: &TenantId,
    judged: &[Judged],
    now: Timestamp,
) -> Result<(), DbError> {
    if judged.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into lead_gates (tenant_id, evaluate_time, lead_id, verdict, judgement, since, kept_for, domain, validity)
         select $1, $2, * from unnest($3::uuid[], $4::text[], $5::jsonb[], $6::timestamptz[], $7::text[], $8::text[],
             $9::jsonb[])
         on conflict (tenant_id, lead_id) do update
             set verdict = excluded.verdict, judgement = excluded.judgement, evaluate_time = excluded.evaluate_time,
                 since = excluded.since, kept_for = excluded.kept_for, domain = excluded.domain,
                 validity = coalesce(excluded.validity, lead_gates.validity)",
    )
    .bind(tenant.as_str())
    .bind(now.to_sqlx())
    .bind(judged.iter().map(|it| it.lead.0).collect::<Vec<_>>())
    .bind(
        judged
            .iter()
            .map(|it| it.judgement.as_ref().map(|it| it.verdict.as_str()))
            .collect::<Vec<_>>(),
    )
    .bind(judged.iter().map(|it| it.judgement.as_ref().map(Json)).collect::<Vec<_>>())
    .bind(judged.iter().map(|it| it.since.to_sqlx()).collect::<Vec<_>>())
    .bind(judged.iter().map(|it| it.kept_for).collect::<Vec<_>>())
    .bind(judged.iter().map(|it| it.domain.as_str()).collect::<Vec<_>>())
    .bind(judged.iter().map(|it| it.validity.as_ref().map(Json)).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

/// Notes why a lead is kept from salespeople from now on, or that it is not any more; what the gate said of it stays.
pub(crate) async fn set_kept(
    tx: &mut PgConnection,
    tenant: &TenantId,
    lead: LeadId,
    kept_for: Option<&str>,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "insert into lead_gates (tenant_id, lead_id, since, kept_for, domain) values ($1, $2, $3, $4, '')
         on conflict (tenant_id, lead_id) do update set since = excluded.since, kept_for = excluded.kept_for",
    )
    .bind(tenant.as_str())
    .bind(lead.0)
    .bind(now.to_sqlx())
    .bind(kept_for)
    .execute(tx)
    .await?;
    Ok(())
}

/// Moves a lead to where it is kept: nobody has it, and none of its clocks runs.
pub(crate) async fn set_aside(
    tx: &mut PgConnection,
    tenant: &TenantId,
    lead: LeadId,
    state: State,
) -> Result<(), DbError> {
    sqlx::query(
        "update leads set state = $3, owner = null, queue_reason = null, previous_owner = null, assign_time = null,
             claim_time = null, claim_due_time = null,
             contact_due_time = case when first_contact_time is null then null else contact_due_time end,
             fencing_token = fencing_token + case when owner is null then 0 else 1 end
         where tenant_id = $1 and lead_id = $2",
    )
    .bind(tenant.as_str())
    .bind(lead.0)
    .bind(state.as_str())
    .execute(tx)
    .await?;
    Ok(())
}

/// Has a lead that was kept wait to be routed.
pub(crate) async fn set_returned(
    tx: &mut PgConnection,
    tenant: &TenantId,
    lead: LeadId,
    queue_reason: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "update leads set state = 'queued', queue_reason = $3, return_time = $4 where tenant_id = $1 and lead_id = $2",
    )
    .bind(tenant.as_str())
    .bind(lead.0)
    .bind(queue_reason)
    .bind(now.to_sqlx())
    .execute(tx)
    .await?;
    Ok(())
}

#[derive(FromRow)]
struct SeenRow {
    wanted: Uuid,
    kind: String,
    object: String,
    duration_seconds: Option<i64>,
    occur_time: SqlTimestamp,
}

/// Reads what was seen of leads, and of those that were merged into them; the latest of each.
pub(crate) async fn list_seen(
    tx: &mut PgConnection,
    tenant: &TenantId,
    leads: &[Uuid],
) -> Result<HashMap<Uuid, Vec<Seen>>, DbError> {
    let rows: Vec<SeenRow> = sqlx::query_as(
        "select wanted.lead_id as wanted, f.kind, f.object, f.duration_seconds, f.occur_time
         from unnest($2::uuid[]) as wanted (lead_id)
         cross join lateral (
             select f.kind, f.object, f.duration_seconds, f.occur_time from lead_facts f
             where f.tenant_id = $1 and f.lead_id in (select merged_leads($1, wanted.lead_id))
             order by f.occur_time desc limit $3
         ) f",
    )
    .bind(tenant.as_str())
    .bind(leads)
    .bind(MOST_FACTS)
    .fetch_all(tx)
    .await?;
    let mut seen: HashMap<Uuid, Vec<Seen>> = HashMap::new();
    for row in rows {
        seen.entry(row.wanted).or_default().push(Seen {
            kind: row.kind,
            object: row.object,
            duration: row
                .duration_seconds
                .map(|seconds| Duration::from_secs(seconds.unsigned_abs())),
            time: row.occur_time.to_jiff(),
        });
    }
    Ok(seen)
}

/// A lead that is kept, and what is stored of it.
#[derive(Debug, FromRow)]
pub(crate) struct KeptRow {
    pub(crate) lead_id: Uuid,
    pub(crate) kept_for: Option<String>,
    pub(crate) since: Option<SqlTimestamp>,
    pub(crate) judgement: Option<Json<Judgement>>,
    pub(crate) validity: Option<Json<Validity>>,
}

/// Lists leads that are kept in a state, newest first, older than `before`.
pub(crate) async fn list_kept(
    tx: &mut PgConnection,
    tenant: &TenantId,
    (state, kept_for): (State, Option<&str>),
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<KeptRow>, DbError> {
    let rows = sqlx::query_as(
        "select g.lead_id, g.kept_for, g.since, g.judgement, g.validity from lead_gates g
         join leads l on l.tenant_id = g.tenant_id and l.lead_id = g.lead_id
         where g.tenant_id = $1 and g.kept_for is not null and l.state = $2
             and ($3::text is null or g.kept_for = $3) and ($4::uuid is null or g.lead_id < $4)
         order by g.lead_id desc limit $5",
    )
    .bind(tenant.as_str())
    .bind(state.as_str())
    .bind(kept_for)
    .bind(before)
    .bind(limit)
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

/// Counts kept leads by state and reason.
pub(crate) async fn count_kept(
    tx: &mut PgConnection,
    tenant: &TenantId,
) -> Result<Vec<(String, String, i64)>, DbError> {
    let counts = sqlx::query_as(
        "select l.state, g.kept_for, count(*) from lead_gates g
         join leads l on l.tenant_id = g.tenant_id and l.lead_id = g.lead_id
         where g.tenant_id = $1 and g.kept_for is not null and l.state in ('held', 'nurture', 'set_aside')
         group by l.state, g.kept_for order by l.state, g.kept_for",
    )
    .bind(tenant.as_str())
    .fetch_all(tx)
    .await?;
    Ok(counts)
}

/// Counts open leads that were captured before `since`.
pub(crate) async fn count_unconverted(
    tx: &mut PgConnection,
    tenant: &TenantId,
    since: Timestamp,
) -> Result<i64, DbError> {
    let count = sqlx::query_scalar(
        "select count(*) from leads where tenant_id = $1 and create_time < $2 and state not in ('closed', 'merged')",
    )
    .bind(tenant.as_str())
    .bind(since.to_sqlx())
    .fetch_one(tx)
    .await?;
    Ok(count)
}

/// Lists leads after `after` that the gate keeps.
pub(crate) async fn list_gated(
    tx: &mut PgConnection,
    tenant: &TenantId,
    after: Option<LeadId>,
    limit: i64,
) -> Result<Vec<Uuid>, DbError> {
    let leads = sqlx::query_scalar(
        "select g.lead_id from lead_gates g join leads l on l.tenant_id = g.tenant_id and l.lead_id = g.lead_id
         where g.tenant_id = $1 and g.lead_id > $2 and g.kept_for in ('gate', 'hold_over')
             and l.state in ('held', 'nurture') order by g.lead_id limit $3",
    )
    .bind(tenant.as_str())
    .bind(after.map(|lead| lead.0).unwrap_or_default())
    .bind(limit)
    .fetch_all(tx)
    .await?;
    Ok(leads)
}

/// Looks at the next leads after `after` and tells of each whether salespeople could work on it and nothing happened to it
/// since `since`.
pub(crate) async fn list_stale(
    tx: &mut PgConnection,
    tenant: &TenantId,
    after: Option<LeadId>,
    since: Timestamp,
    limit: i64,
) -> Result<Vec<(Uuid, bool)>, DbError> {
    let leads = sqlx::query_as(
        "with looked_at as (
             select lead_id, state, create_time, return_time from leads where tenant_id = $1 and lead_id > $2
             order by lead_id limit $4
         )
         select l.lead_id, l.state in ('queued', 'assigned', 'claimed', 'contacted')
             and coalesce(l.return_time, l.create_time) < $3
             and not exists (select from follow_ups f
                 where f.tenant_id = $1 and f.lead_id = l.lead_id and f.create_time >= $3)
         from looked_at l order by l.lead_id",
    )
    .bind(tenant.as_str())
    .bind(after.map(|lead| lead.0).unwrap_or_default())
    .bind(since.to_sqlx())
    .bind(limit)
    .fetch_all(tx)
    .await?;
    Ok(leads)
}

/// Tells whether nothing happened to a lead since `since`.
pub(crate) async fn is_stale(
    tx: &mut PgConnection,
    tenant: &TenantId,
    lead: LeadId,
    since: Timestamp,
) -> Result<bool, DbError> {
    let stale = sqlx::query_scalar(
        "select coalesce(l.return_time, l.create_time) < $3 and not exists (select from follow_ups f
             where f.tenant_id = $1 and f.lead_id = l.lead_id and f.create_time >= $3)
         from leads l where l.tenant_id = $1 and l.lead_id = $2",
    )
    .bind(tenant.as_str())
    .bind(lead.0)
    .bind(since.to_sqlx())
    .fetch_optional(tx)
    .await?;
    Ok(stale.unwrap_or_default())
}
