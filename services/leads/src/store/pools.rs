//! Rows of pool policies, of picks, and of leads as they go back to the pool and are picked from it.

use jiff::{Timestamp, civil::Date};
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx};
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgConnection, types::Json};
use uuid::Uuid;

use super::leads::stored;
use crate::domain::{
    ids::{LeadId, MemberId, TeamId},
    lead::State,
    pool::{Cooldowns, Ownership, PoolSpec},
};

/// Finds a tenant's policy, and when it was changed.
pub(crate) async fn find(tx: &mut PgConnection, tenant: &TenantId) -> Result<Option<(PoolSpec, Timestamp)>, DbError> {
    let found: Option<(Json<PoolSpec>, SqlTimestamp)> =
        sqlx::query_as("select definition, update_time from pool_policies where tenant_id = $1")
            .bind(tenant.as_str())
            .fetch_optional(tx)
            .await?;
    Ok(found.map(|(Json(spec), at)| (spec, at.to_jiff())))
}

/// Writes a tenant's policy, whether it has one or not.
pub(crate) async fn put(
    tx: &mut PgConnection,
    tenant: &TenantId,
    spec: &PoolSpec,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "insert into pool_policies (tenant_id, definition, update_time) values ($1, $2, $3)
         on conflict (tenant_id) do update set definition = excluded.definition, update_time = excluded.update_time",
    )
    .bind(tenant.as_str())
    .bind(Json(spec))
    .bind(now.to_sqlx())
    .execute(tx)
    .await?;
    Ok(())
}

/// Counts a pick of a member on a business day, and returns how many there are with it; `None` if it would be one too many.
/// The row is locked until the transaction ends, so that picks at one time are counted one after the other.
pub(crate) async fn count_pick(
    tx: &mut PgConnection,
    tenant: &TenantId,
    member: &MemberId,
    day: Date,
    most: i32,
) -> Result<Option<i32>, DbError> {
    let picks = sqlx::query_scalar(
        "insert into lead_picks as p (tenant_id, member, day, picks) select $1, $2, $3, 1 where $4 > 0
         on conflict (tenant_id, member, day) do update set picks = p.picks + 1 where p.picks < $4
         returning picks",
    )
    .bind(tenant.as_str())
    .bind(member.id())
    .bind(day.to_sqlx())
    .bind(most)
    .fetch_optional(tx)
    .await?;
    Ok(picks)
}

/// How a lead leaves its owner.
#[derive(Debug)]
pub(crate) struct Recycled<'a> {
    pub(crate) lead: LeadId,
    /// Why it waits.
    pub(crate) queue_reason: &'a str,
    /// Who shall not have it until somebody else had it.
    pub(crate) previous_owner: Option<&'a MemberId>,
    pub(crate) cooldowns: &'a Cooldowns,
}

/// Takes a lead from its owner; it keeps its team and its place in line.
pub(crate) async fn recycle(tx: &mut PgConnection, tenant: &TenantId, recycled: &Recycled<'_>) -> Result<(), DbError> {
    sqlx::query(
        "update leads set state = 'queued', owner = null, queue_reason = $3, previous_owner = $4, cooldowns = $5,
             fencing_token = fencing_token + 1, assign_time = null, claim_time = null, claim_due_time = null
         where tenant_id = $1 and lead_id = $2",
    )
    .bind(tenant.as_str())
    .bind(recycled.lead.0)
    .bind(recycled.queue_reason)
    .bind(recycled.previous_owner.map(MemberId::id))
    .bind(Json(recycled.cooldowns))
    .execute(tx)
    .await?;
    Ok(())
}

/// Gives a waiting lead to whoever picked it.
pub(crate) async fn pick(
    tx: &mut PgConnection,
    tenant: &TenantId,
    lead: LeadId,
    (member, team): (&MemberId, &TeamId),
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "update leads set state = case when first_contact_time is null then 'claimed' else 'contacted' end,
             owner = $3, team = $4, queue_reason = null, fencing_token = fencing_token + 1, assign_time = $5, claim_time = $5
         where tenant_id = $1 and lead_id = $2",
    )
    .bind(tenant.as_str())
    .bind(lead.0)
    .bind(member.id())
    .bind(team.id())
    .bind(now.to_sqlx())
    .execute(tx)
    .await?;
    Ok(())
}

/// Has routing look at leads again that nobody may pick any more, and returns whether there were any.
pub(crate) async fn give_up(tx: &mut PgConnection, tenant: &TenantId, queue_reason: &str) -> Result<bool, DbError> {
    let freed = sqlx::query(
        "update leads set queue_reason = $2 where tenant_id = $1 and state = 'queued' and queue_reason = 'pooled'",
    )
    .bind(tenant.as_str())
    .bind(queue_reason)
    .execute(tx)
    .await?;
    Ok(freed.rows_affected() > 0)
}

/// A lead that somebody has.
#[derive(Debug)]
pub(crate) struct Owned {
    pub(crate) lead: LeadId,
    pub(crate) fencing_token: i64,
    pub(crate) held: Ownership,
}

#[derive(FromRow)]
struct OwnedRow {
    lead_id: Uuid,
    fencing_token: i64,
    state: String,
    owner: String,
    since: SqlTimestamp,
    last_follow_up: Option<SqlTimestamp>,
}

impl From<OwnedRow> for Owned {
    fn from(row: OwnedRow) -> Self {
        Self {
            lead: LeadId(row.lead_id),
            fencing_token: row.fencing_token,
            held: Ownership {
                owner: stored(&row.owner),
                since: row.since.to_jiff(),
                state: State::find(&row.state).expect("the table's check allows known states only"),
                last_follow_up: row.last_follow_up.map(SqlTimestamp::to_jiff),
            },
        }
    }
}

/// The columns of [`OwnedRow`] of owned leads `l`. When a follow-up was recorded counts, and not what it says of itself.
macro_rules! owned_columns {
    () => {
        "l.lead_id, l.fencing_token, l.state, l.owner, coalesce(l.assign_time, l.create_time) as since,
         (select max(f.create_time) from follow_ups f
          where f.tenant_id = l.tenant_id and f.lead_id = l.lead_id and f.create_time >= l.assign_time) as last_follow_up"
    };
}

/// Lists owned leads after `after`, by id.
pub(crate) async fn list_owned(
    tx: &mut PgConnection,
    tenant: &TenantId,
    after: Option<LeadId>,
    limit: i64,
) -> Result<Vec<Owned>, DbError> {
    let rows: Vec<OwnedRow> = sqlx::query_as(concat!(
        "select ",
        owned_columns!(),
        " from leads l
          where l.tenant_id = $1 and l.lead_id > $2 and l.owner is not null and l.state not in ('closed', 'merged')
          order by l.lead_id limit $3"
    ))
    .bind(tenant.as_str())
    .bind(after.map(|lead| lead.0).unwrap_or_default())
    .bind(limit)
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(Owned::from).collect())
}

/// Finds an owned lead; to be asked under its lock.
pub(crate) async fn find_owned(
    tx: &mut PgConnection,
    tenant: &TenantId,
    lead: LeadId,
) -> Result<Option<Owned>, DbError> {
    let row: Option<OwnedRow> = sqlx::query_as(concat!(
        "select ",
        owned_columns!(),
        " from leads l
          where l.tenant_id = $1 and l.lead_id = $2 and l.owner is not null and l.state not in ('closed', 'merged')"
    ))
    .bind(tenant.as_str())
    .bind(lead.0)
    .fetch_optional(tx)
    .await?;
    Ok(row.map(Owned::from))
}
