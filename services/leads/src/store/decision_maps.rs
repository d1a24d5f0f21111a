//! Rows of the maps of who decides about leads.

use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx};
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgConnection, types::Json};
use uuid::Uuid;

use super::leads::stored;
use crate::domain::{
    decision_map::{DecisionMapPolicy, Reached},
    ids::{LeadId, MemberId},
};

/// Finds a tenant's policy, and when it was changed.
pub(crate) async fn find_policy(
    tx: &mut PgConnection,
    tenant: &TenantId,
) -> Result<Option<(DecisionMapPolicy, Timestamp)>, DbError> {
    let found: Option<(Json<DecisionMapPolicy>, SqlTimestamp)> =
        sqlx::query_as("select definition, update_time from decision_map_policies where tenant_id = $1")
            .bind(tenant.as_str())
            .fetch_optional(tx)
            .await?;
    Ok(found.map(|(Json(policy), at)| (policy, at.to_jiff())))
}

/// Writes a tenant's policy, whether it has one or not.
pub(crate) async fn put_policy(
    tx: &mut PgConnection,
    tenant: &TenantId,
    policy: &DecisionMapPolicy,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "insert into decision_map_policies (tenant_id, definition, update_time) values ($1, $2, $3)
         on conflict (tenant_id) do update set definition = excluded.definition, update_time = excluded.update_time",
    )
    .bind(tenant.as_str())
    .bind(Json(policy))
    .bind(now.to_sqlx())
    .execute(tx)
    .await?;
    Ok(())
}

/// A map as stored.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct MapRow {
    pub(crate) lead_id: Uuid,
    pub(crate) roles: Vec<String>,
    pub(crate) start_time: SqlTimestamp,
    pub(crate) due_time: SqlTimestamp,
    pub(crate) complete_time: Option<SqlTimestamp>,
    pub(crate) overdue_time: Option<SqlTimestamp>,
}

/// Begins the map of a lead; tells whether it had none.
pub(crate) async fn insert(
    tx: &mut PgConnection,
    tenant: &TenantId,
    lead: LeadId,
    roles: &[String],
    (start, due): (Timestamp, Timestamp),
) -> Result<bool, DbError> {
    let done = sqlx::query(
        "insert into decision_maps (tenant_id, lead_id, roles, start_time, due_time) values ($1, $2, $3, $4, $5)
         on conflict (tenant_id, lead_id) do nothing",
    )
    .bind(tenant.as_str())
    .bind(lead.0)
    .bind(roles)
    .bind(start.to_sqlx())
    .bind(due.to_sqlx())
    .execute(tx)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Finds the map of a lead.
pub(crate) async fn find(tx: &mut PgConnection, tenant: &TenantId, lead: LeadId) -> Result<Option<MapRow>, DbError> {
    let row = sqlx::query_as(
        "select lead_id, roles, start_time, due_time, complete_time, overdue_time from decision_maps
         where tenant_id = $1 and lead_id = $2",
    )
    .bind(tenant.as_str())
    .bind(lead.0)
    .fetch_optional(tx)
    .await?;
    Ok(row)
}

/// Notes when a map became complete, or was found overdue; what was noted before stays.
pub(crate) async fn set_times(
    tx: &mut PgConnection,
    tenant: &TenantId,
    lead: LeadId,
    (complete, overdue): (Option<Timestamp>, Option<Timestamp>),
) -> Result<(), DbError> {
    sqlx::query(
        "update decision_maps set complete_time = coalesce(complete_time, $3), overdue_time = coalesce(overdue_time, $4)
         where tenant_id = $1 and lead_id = $2",
    )
    .bind(tenant.as_str())
    .bind(lead.0)
    .bind(complete.map(Timestamp::to_sqlx))
    .bind(overdue.map(Timestamp::to_sqlx))
    .execute(tx)
    .await?;
    Ok(())
}

/// Lists the maps of open leads that are overdue and not complete, those due first first, behind one.
pub(crate) async fn list_overdue(
    tx: &mut PgConnection,
    tenant: &TenantId,
    after: Option<(Timestamp, Uuid)>,
    limit: i64,
) -> Result<Vec<MapRow>, DbError> {
    let (time, lead) = after.unzip();
    let rows = sqlx::query_as(
        "select lead_id, roles, start_time, due_time, complete_time, overdue_time from decision_maps m
         where tenant_id = $1 and overdue_time is not null and complete_time is null
             and ($2::timestamptz is null or (due_time, lead_id) > ($2, $3))
             and exists (select from leads l where l.tenant_id = $1 and l.lead_id = m.lead_id
                 and l.state not in ('closed', 'merged'))
         order by due_time, lead_id limit $4",
    )
    .bind(tenant.as_str())
    .bind(time.map(Timestamp::to_sqlx))
    .bind(lead)
    .bind(limit)
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

#[derive(FromRow)]
struct RoleRow {
    role: String,
    person: String,
    minutes: String,
    minutes_url: String,
    member: String,
    reach_time: SqlTimestamp,
}

/// Somebody who was reached, by whom and when.
#[derive(Debug, Clone)]
pub(crate) struct ReachedRow {
    pub(crate) reached: Reached,
    pub(crate) member: MemberId,
    pub(crate) time: Timestamp,
}

/// Writes who was reached, whether the role was before or not.
pub(crate) async fn put_role(
    tx: &mut PgConnection,
    tenant: &TenantId,
    lead: LeadId,
    row: &ReachedRow,
) -> Result<(), DbError> {
    sqlx::query(
        "insert into decision_roles (tenant_id, lead_id, role, person, minutes, minutes_url, member, reach_time)
         values ($1, $2, $3, $4, $5, $6, $7, $8)
         on conflict (tenant_id, lead_id, role) do update set person = excluded.person, minutes = excluded.minutes,
             minutes_url = excluded.minutes_url, member = excluded.member",
    )
    .bind(tenant.as_str())
    .bind(lead.0)
    .bind(&row.reached.role)
    .bind(&row.reached.person)
    .bind(&row.reached.minutes)
    .bind(&row.reached.minutes_url)
    .bind(row.member.id())
    .bind(row.time.to_sqlx())
    .execute(tx)
    .await?;
    Ok(())
}

/// Lists whom the owners of a lead and of those merged into it have reached; of a role that two have, the lead's own.
pub(crate) async fn list_roles(
    tx: &mut PgConnection,
    tenant: &TenantId,
    lead: LeadId,
) -> Result<Vec<ReachedRow>, DbError> {
    let rows: Vec<RoleRow> = sqlx::query_as(
        "select distinct on (r.role) r.role, r.person, r.minutes, r.minutes_url, r.member, r.reach_time
         from merged_leads($1, $2) as held (lead_id)
         join decision_roles r on r.tenant_id = $1 and r.lead_id = held.lead_id
         order by r.role, r.lead_id <> $2, r.reach_time desc",
    )
    .bind(tenant.as_str())
    .bind(lead.0)
    .fetch_all(tx)
    .await?;
    let reached = |row: RoleRow| ReachedRow {
        member: stored(&row.member),
        time: row.reach_time.to_jiff(),
        reached: Reached {
            role: row.role,
            person: row.person,
            minutes: row.minutes,
            minutes_url: row.minutes_url,
        },
    };
    Ok(rows.into_iter().map(reached).collect())
}
