//! What is on record of whose leads are, and disputes about it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx};
use prost::Message as _;
use reflex_pg::DbError;
use reflex_proto::leads::v1::{DisputeEvidence, RoutingDecision};
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::leads::stored;
use crate::domain::{
    ids::{DisputeId, LeadId, MemberId, TeamId},
    ownership::{Happened, Record},
};

#[derive(FromRow)]
struct EntryRow {
    id: Uuid,
    time: SqlTimestamp,
    kind: String,
    member: Option<String>,
    detail: String,
    decision: Option<Vec<u8>>,
    survivor: Option<Uuid>,
    until: Option<SqlTimestamp>,
}

/// Reads the records of a lead and of all that it was ever merged into.
pub(crate) async fn get_records(
    tx: &mut PgConnection,
    tenant: &TenantId,
    lead: LeadId,
) -> Result<BTreeMap<LeadId, Record>, DbError> {
    let mut records = BTreeMap::new();
    let mut wanted = vec![lead];
    while let Some(lead) = wanted.pop() {
        if records.contains_key(&lead) {
            continue;
        }
        let record = get_record(tx, tenant, lead).await?;
        wanted.extend(record.happened.iter().filter_map(|(_, _, happened)| match happened {
            Happened::Merged { survivor, .. } => Some(*survivor),
            _ => None,
        }));
        records.insert(lead, record);
    }
    Ok(records)
}

async fn get_record(tx: &mut PgConnection, tenant: &TenantId, lead: LeadId) -> Result<Record, DbError> {
    let rows: Vec<EntryRow> = sqlx::query_as(
        "select decision_id as id, decide_time as time, 'decided' as kind, null as member, '' as detail, decision,
             null::uuid as survivor, null::timestamptz as until
         from routing_decisions where tenant_id = $1 and lead_id = $2
         union all
         select entry_id, time, kind, member, detail, null, null, null from lead_history
         where tenant_id = $1 and lead_id = $2 and kind in ('released', 'claim_expired', 'owner_left', 'awarded', 'nurtured',
             'set_aside')
         union all
         select merge_id, merge_time, 'merged', null, '', null, survivor, unmerge_time from lead_merges
         where tenant_id = $1 and loser = $2
         order by time, id",
    )
    .bind(tenant.as_str())
    .bind(lead.0)
    .fetch_all(&mut *tx)
    .await?;
    let is_owned: Option<bool> =
        sqlx::query_scalar("select owner is not null from leads where tenant_id = $1 and lead_id = $2")
            .bind(tenant.as_str())
            .bind(lead.0)
            .fetch_optional(tx)
            .await?;
    let entry = |row: EntryRow| Some((row.time.to_jiff(), row.id, happened(&row)?));
    Ok(Record {
        happened: rows.into_iter().filter_map(entry).collect(),
        is_owned: is_owned.unwrap_or_default(),
    })
}

fn happened(row: &EntryRow) -> Option<Happened> {
    Some(match row.kind.as_str() {
        "decided" => {
            let decision = RoutingDecision::decode(row.decision.as_deref()?).ok()?;
            let owner = decision.chosen.parse().ok();
            Happened::Decided {
                owner: owner.zip(decision.team.parse().ok()),
                reason: format!("{}: {}", decision.trigger, decision.reason),
            }
        }
        "claim_expired" => Happened::Expired,
        "released" => Happened::Lost("released"),
        "owner_left" => Happened::Lost("owner_left"),
        "nurtured" => Happened::Lost("nurtured"),
        "set_aside" => Happened::Lost("set_aside"),
        "awarded" => Happened::Awarded {
            owner: (stored(row.member.as_deref()?), row.detail.parse().ok()?),
        },
        "merged" => Happened::Merged {
            survivor: LeadId(row.survivor?),
            until: row.until.map(SqlTimestamp::to_jiff),
        },
        _ => return None,
    })
}

/// Gives a lead to somebody, whoever has it; of a closed one only the record changes.
pub(crate) async fn award(
    tx: &mut PgConnection,
    tenant: &TenantId,
    lead: LeadId,
    owner: &MemberId,
    team: &TeamId,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "update leads set previous_owner = owner, owner = $3, team = $4, fencing_token = fencing_token + 1,
             state = case when state = 'closed' then state when first_contact_time is null then 'claimed'
                 else 'contacted' end,
             queue_reason = null, assign_time = $5, claim_time = $5, claim_due_time = null
         where tenant_id = $1 and lead_id = $2",
    )
    .bind(tenant.as_str())
    .bind(lead.0)
    .bind(owner.id())
    .bind(team.id())
    .bind(now.to_sqlx())
    .execute(tx)
    .await?;
    Ok(())
}

/// A capture of a customer.
#[derive(Debug, FromRow)]
pub(crate) struct TouchRow {
    pub(crate) lead_id: Uuid,
    pub(crate) source: String,
    pub(crate) create_time: SqlTimestamp,
}

/// Lists the captures of a lead and of those merged into it, in order.
pub(crate) async fn list_touches(
    tx: &mut PgConnection,
    tenant: &TenantId,
    lead: LeadId,
) -> Result<Vec<TouchRow>, DbError> {
    let rows = sqlx::query_as(
        "select l.lead_id, l.source, l.create_time from merged_leads($1, $2) as held (lead_id)
         join leads l on l.tenant_id = $1 and l.lead_id = held.lead_id order by l.sequence",
    )
    .bind(tenant.as_str())
    .bind(lead.0)
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

/// A follow-up, as far as it is evidence.
#[derive(Debug, FromRow)]
pub(crate) struct ContactRow {
    pub(crate) follow_up_id: Uuid,
    pub(crate) member: String,
    pub(crate) kind: String,
    pub(crate) occur_time: SqlTimestamp,
    pub(crate) create_time: SqlTimestamp,
}

/// Lists the follow-ups of a lead and of those merged into it, in the order in which they took place.
pub(crate) async fn list_contacts(
    tx: &mut PgConnection,
    tenant: &TenantId,
    lead: LeadId,
) -> Result<Vec<ContactRow>, DbError> {
    let rows = sqlx::query_as(
        "select f.follow_up_id, f.member, f.kind, f.occur_time, f.create_time
         from merged_leads($1, $2) as held (lead_id)
         join follow_ups f on f.tenant_id = $1 and f.lead_id = held.lead_id
         order by f.occur_time, f.follow_up_id",
    )
    .bind(tenant.as_str())
    .bind(lead.0)
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

/// A dispute as stored.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct DisputeRow {
    pub(crate) dispute_id: Uuid,
    pub(crate) lead_id: Uuid,
    pub(crate) claimant: String,
    pub(crate) reason: String,
    pub(crate) opener: Option<String>,
    pub(crate) open_time: SqlTimestamp,
    pub(crate) owner: Option<String>,
    pub(crate) decider: Option<String>,
    pub(crate) decision: String,
    pub(crate) decide_time: Option<SqlTimestamp>,
    evidence: Option<Vec<u8>>,
}

impl DisputeRow {
    /// Returns what the records said when it was decided.
    pub(crate) fn evidence(&self) -> Option<DisputeEvidence> {
        DisputeEvidence::decode(self.evidence.as_deref()?).ok()
    }
}

/// The columns of [`DisputeRow`], for `concat!` into a statement.
macro_rules! dispute_columns {
    () => {
        "dispute_id, lead_id, claimant, reason, opener, open_time, owner, decider, decision, decide_time, evidence"
    };
}

/// Opens a dispute, unless one about the lead is open; returns whether it did.
pub(crate) async fn open(tx: &mut PgConnection, tenant: &TenantId, dispute: &NewDispute<'_>) -> Result<bool, DbError> {
    let opened = sqlx::query(
        "insert into lead_disputes (tenant_id, dispute_id, lead_id, claimant, reason, opener, open_time)
         values ($1, $2, $3, $4, $5, $6, $7) on conflict (tenant_id, lead_id) where decide_time is null do nothing",
    )
    .bind(tenant.as_str())
    .bind(dispute.id.0)
    .bind(dispute.lead.0)
    .bind(dispute.claimant.id())
    .bind(dispute.reason)
    .bind(dispute.opener.map(MemberId::id))
    .bind(dispute.time.to_sqlx())
    .execute(tx)
    .await?;
    Ok(opened.rows_affected() == 1)
}

/// A dispute to be written.
pub(crate) struct NewDispute<'a> {
    pub(crate) id: DisputeId,
    pub(crate) lead: LeadId,
    pub(crate) claimant: &'a MemberId,
    pub(crate) reason: &'a str,
    pub(crate) opener: Option<&'a MemberId>,
    pub(crate) time: Timestamp,
}

/// Finds a dispute and locks it.
pub(crate) async fn find_for_update(
    tx: &mut PgConnection,
    tenant: &TenantId,
    dispute: DisputeId,
) -> Result<Option<DisputeRow>, DbError> {
    let found = sqlx::query_as(concat!(
        "select ",
        dispute_columns!(),
        " from lead_disputes where tenant_id = $1 and dispute_id = $2 for update"
    ))
    .bind(tenant.as_str())
    .bind(dispute.0)
    .fetch_optional(tx)
    .await?;
    Ok(found)
}

/// Finds a dispute.
pub(crate) async fn find(
    tx: &mut PgConnection,
    tenant: &TenantId,
    dispute: DisputeId,
) -> Result<Option<DisputeRow>, DbError> {
    let found = sqlx::query_as(concat!(
        "select ",
        dispute_columns!(),
        " from lead_disputes where tenant_id = $1 and dispute_id = $2"
    ))
    .bind(tenant.as_str())
    .bind(dispute.0)
    .fetch_optional(tx)
    .await?;
    Ok(found)
}

/// Whose lead it is, as decided.
pub(crate) struct Verdict<'a> {
    pub(crate) owner: &'a MemberId,
    pub(crate) decider: Option<&'a MemberId>,
    pub(crate) decision: &'a str,
    pub(crate) evidence: &'a DisputeEvidence,
    pub(crate) time: Timestamp,
}

/// Notes how a dispute was decided.
pub(crate) async fn decide(
    tx: &mut PgConnection,
    tenant: &TenantId,
    dispute: DisputeId,
    verdict: &Verdict<'_>,
) -> Result<(), DbError> {
    sqlx::query(
        "update lead_disputes set owner = $3, decider = $4, decision = $5, evidence = $6, decide_time = $7
         where tenant_id = $1 and dispute_id = $2",
    )
    .bind(tenant.as_str())
    .bind(dispute.0)
    .bind(verdict.owner.id())
    .bind(verdict.decider.map(MemberId::id))
    .bind(verdict.decision)
    .bind(verdict.evidence.encode_to_vec())
    .bind(verdict.time.to_sqlx())
    .execute(tx)
    .await?;
    Ok(())
}

/// Lists disputes, of all leads or of one, newest first, older than `before`.
pub(crate) async fn list(
    tx: &mut PgConnection,
    tenant: &TenantId,
    lead: Option<LeadId>,
    open_only: OpenOnly,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<DisputeRow>, DbError> {
    let rows = sqlx::query_as(concat!(
        "select ",
        dispute_columns!(),
        " from lead_disputes where tenant_id = $1 and ($2::uuid is null or lead_id = $2)
              and (decide_time is null or not $3) and ($4::uuid is null or dispute_id < $4)
          order by dispute_id desc limit $5"
    ))
    .bind(tenant.as_str())
    .bind(lead.map(|lead| lead.0))
    .bind(open_only.0)
    .bind(before)
    .bind(limit)
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

/// Whether decided disputes are left out.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub(crate) struct OpenOnly(pub(crate) bool);
