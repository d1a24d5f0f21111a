//! Pairs of leads that may be the same, and how a tenant's leads are compared.

pub(crate) mod index;
pub(crate) mod sweeps;

use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx};
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgConnection, types::Json};
use uuid::Uuid;

use super::leads::stored;
use crate::domain::{
    duplicates::{DuplicatePolicy, FieldEvidence, State},
    ids::{DuplicateId, LeadId, MemberId},
};

/// Finds a tenant's policy, and when it was changed.
pub(crate) async fn find_policy(
    tx: &mut PgConnection,
    tenant: &TenantId,
) -> Result<Option<(DuplicatePolicy, Timestamp)>, DbError> {
    let found: Option<(Json<DuplicatePolicy>, SqlTimestamp)> =
        sqlx::query_as("select definition, update_time from duplicate_policies where tenant_id = $1")
            .bind(tenant.as_str())
            .fetch_optional(tx)
            .await?;
    Ok(found.map(|(Json(policy), at)| (policy, at.to_jiff())))
}

/// Writes a tenant's policy, whether it has one or not.
pub(crate) async fn put_policy(
    tx: &mut PgConnection,
    tenant: &TenantId,
    policy: &DuplicatePolicy,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "insert into duplicate_policies (tenant_id, definition, update_time) values ($1, $2, $3)
         on conflict (tenant_id) do update set definition = excluded.definition, update_time = excluded.update_time",
    )
    .bind(tenant.as_str())
    .bind(Json(policy))
    .bind(now.to_sqlx())
    .execute(tx)
    .await?;
    Ok(())
}

/// A lead of a pair, as much as is shown.
#[derive(Debug, FromRow)]
pub(crate) struct SideRow {
    pub(crate) lead_id: Uuid,
    pub(crate) number: i64,
    pub(crate) state: String,
    pub(crate) company: String,
    pub(crate) contact_name: String,
    pub(crate) phone: String,
    pub(crate) email: String,
    pub(crate) owner: Option<String>,
    pub(crate) create_time: SqlTimestamp,
}

impl SideRow {
    /// Returns the owner.
    pub(crate) fn owner(&self) -> Option<MemberId> {
        self.owner.as_deref().map(stored)
    }
}

/// A pair as stored.
#[derive(Debug, FromRow)]
pub(crate) struct DuplicateRow {
    pub(crate) duplicate_id: Uuid,
    pub(crate) earlier_id: Uuid,
    pub(crate) later_id: Uuid,
    pub(crate) score: f64,
    pub(crate) evidence: Json<Vec<FieldEvidence>>,
    state: String,
    pub(crate) suspect_time: Option<SqlTimestamp>,
    pub(crate) decide_time: Option<SqlTimestamp>,
    pub(crate) member: Option<String>,
    pub(crate) reason: String,
}

/// The columns of [`DuplicateRow`], for `concat!` into a statement.
macro_rules! duplicate_columns {
    () => {
        "duplicate_id, earlier_id, later_id, score, evidence, state, suspect_time, decide_time, member, reason"
    };
}

impl DuplicateRow {
    /// Returns where the pair stands.
    pub(crate) fn state(&self) -> State {
        State::find(&self.state).expect("the table's check allows known states only")
    }
}

/// Finds a pair that somebody was told of.
pub(crate) async fn find(
    tx: &mut PgConnection,
    tenant: &TenantId,
    duplicate: DuplicateId,
) -> Result<Option<DuplicateRow>, DbError> {
    let found = sqlx::query_as(concat!(
        "select ",
        duplicate_columns!(),
        " from lead_duplicates where tenant_id = $1 and duplicate_id = $2 and state <> 'linked'"
    ))
    .bind(tenant.as_str())
    .bind(duplicate.0)
    .fetch_optional(tx)
    .await?;
    Ok(found)
}

/// Finds a pair that somebody was told of, and locks it: after its leads.
pub(crate) async fn find_for_update(
    tx: &mut PgConnection,
    tenant: &TenantId,
    duplicate: DuplicateId,
) -> Result<Option<DuplicateRow>, DbError> {
    let found = sqlx::query_as(concat!(
        "select ",
        duplicate_columns!(),
        " from lead_duplicates where tenant_id = $1 and duplicate_id = $2 and state <> 'linked' for update"
    ))
    .bind(tenant.as_str())
    .bind(duplicate.0)
    .fetch_optional(tx)
    .await?;
    Ok(found)
}

/// What a list of pairs is narrowed to.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub(crate) struct Filter {
    pub(crate) state: Option<&'static str>,
    pub(crate) lead: Option<LeadId>,
    pub(crate) least_score: f64,
}

/// Lists pairs, newest first, older than `before`.
pub(crate) async fn list(
    tx: &mut PgConnection,
    tenant: &TenantId,
    filter: &Filter,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<DuplicateRow>, DbError> {
    let rows = sqlx::query_as(concat!(
        "select ",
        duplicate_columns!(),
        " from lead_duplicates where tenant_id = $1 and state <> 'linked' and ($2::uuid is null or duplicate_id < $2)
              and ($3::text is null or state = $3) and ($4::uuid is null or earlier_id = $4 or later_id = $4)
              and score >= $5
          order by duplicate_id desc limit $6"
    ))
    .bind(tenant.as_str())
    .bind(before)
    .bind(filter.state)
    .bind(filter.lead.map(|lead| lead.0))
    .bind(filter.least_score)
    .bind(limit)
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

/// Lists the suspected pairs of a lead, the most likely first.
pub(crate) async fn list_suspected(
    tx: &mut PgConnection,
    tenant: &TenantId,
    lead: Uuid,
    limit: i64,
) -> Result<Vec<DuplicateRow>, DbError> {
    let rows = sqlx::query_as(concat!(
        "select ",
        duplicate_columns!(),
        " from lead_duplicates where tenant_id = $1 and (earlier_id = $2 or later_id = $2) and state = 'suspected'
          order by score desc, duplicate_id limit $3"
    ))
    .bind(tenant.as_str())
    .bind(lead)
    .bind(limit)
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

/// Lists the leads of pairs.
pub(crate) async fn list_sides(
    tx: &mut PgConnection,
    tenant: &TenantId,
    leads: &[Uuid],
) -> Result<Vec<SideRow>, DbError> {
    let rows = sqlx::query_as(
        "select lead_id, number, state, company, contact_name, phone, email, owner, create_time
         from leads where tenant_id = $1 and lead_id = any ($2)",
    )
    .bind(tenant.as_str())
    .bind(leads)
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

/// An open lead that another one is suspected to be the same as.
#[derive(Debug, FromRow)]
pub(crate) struct TwinRow {
    pub(crate) lead_id: Uuid,
    pub(crate) twin_id: Uuid,
    owner: Option<String>,
}

impl TwinRow {
    /// Returns who has it.
    pub(crate) fn owner(&self) -> Option<MemberId> {
        self.owner.as_deref().map(stored)
    }
}

/// Lists the open leads that these are suspected to be the same as, the most likely first.
pub(crate) async fn list_twins(
    tx: &mut PgConnection,
    tenant: &TenantId,
    leads: &[Uuid],
) -> Result<Vec<TwinRow>, DbError> {
    let rows = sqlx::query_as(
        "select p.lead_id, p.twin_id, l.owner from (
             select later_id as lead_id, earlier_id as twin_id, score from lead_duplicates
             where tenant_id = $1 and later_id = any ($2) and state = 'suspected'
             union all
             select earlier_id, later_id, score from lead_duplicates
             where tenant_id = $1 and earlier_id = any ($2) and state = 'suspected'
         ) p
         join leads l on l.tenant_id = $1 and l.lead_id = p.twin_id and l.state not in ('closed', 'merged')
         order by p.lead_id, p.score desc, p.twin_id",
    )
    .bind(tenant.as_str())
    .bind(leads)
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

/// A decision about a pair.
#[derive(Debug)]
pub(crate) struct Decided<'a> {
    /// Its id, where there is no such pair yet.
    pub(crate) id: DuplicateId,
    pub(crate) leads: [LeadId; 2],
    pub(crate) state: State,
    pub(crate) time: Timestamp,
    pub(crate) member: Option<&'a MemberId>,
    pub(crate) reason: &'a str,
}

/// Writes what was decided about a pair of leads that are locked, whether anybody was told of it before or not.
pub(crate) async fn decide(tx: &mut PgConnection, tenant: &TenantId, decided: &Decided<'_>) -> Result<(), DbError> {
    let [one, two] = decided.leads;
    sqlx::query(
        "insert into lead_duplicates as d (tenant_id, duplicate_id, earlier_id, later_id, raw, identified, score, evidence,
             state, decide_time, member, reason)
         values ($1, $2, $3, $4, 0, false, 0, '[]', $5, $6, $7, $8)
         on conflict (tenant_id, earlier_id, later_id) do update set state = excluded.state,
             decide_time = excluded.decide_time, member = excluded.member, reason = excluded.reason",
    )
    .bind(tenant.as_str())
    .bind(decided.id.0)
    .bind(one.0.min(two.0))
    .bind(one.0.max(two.0))
    .bind(decided.state.as_str())
    .bind(decided.time.to_sqlx())
    .bind(decided.member.map(MemberId::id))
    .bind(decided.reason)
    .execute(tx)
    .await?;
    Ok(())
}
