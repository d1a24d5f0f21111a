//! Rows of leaves.

use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx};
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use crate::domain::{
    ids::{LeaveId, MemberId},
    leave::Leave,
};

#[derive(FromRow)]
struct Row {
    leave_id: Uuid,
    member: MemberId,
    start_time: SqlTimestamp,
    end_time: SqlTimestamp,
    reason: String,
}

impl From<Row> for Leave {
    fn from(row: Row) -> Self {
        Self {
            id: LeaveId(row.leave_id),
            member: row.member,
            start: row.start_time.to_jiff(),
            end: row.end_time.to_jiff(),
            reason: row.reason,
        }
    }
}

/// Lists the leaves that end after `since`.
pub(crate) async fn list_since(
    tx: &mut PgConnection,
    tenant: &TenantId,
    since: Timestamp,
) -> Result<Vec<Leave>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "select leave_id, member, start_time, end_time, reason from leaves where tenant_id = $1 and end_time > $2",
    )
    .bind(tenant.as_str())
    .bind(since.to_sqlx())
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(Leave::from).collect())
}

/// Lists leaves, latest start first, those after the given start and id.
pub(crate) async fn page(
    tx: &mut PgConnection,
    tenant: &TenantId,
    member: Option<&MemberId>,
    after: Option<(Timestamp, LeaveId)>,
    limit: i64,
) -> Result<Vec<Leave>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "select leave_id, member, start_time, end_time, reason from leaves
         where tenant_id = $1 and ($2::text is null or member = $2)
             and ($3::timestamptz is null or (start_time, leave_id) < ($3, $4))
         order by start_time desc, leave_id desc limit $5",
    )
    .bind(tenant.as_str())
    .bind(member.map(MemberId::id))
    .bind(after.map(|(start, _)| start.to_sqlx()))
    .bind(after.map(|(_, id)| id.0))
    .bind(limit)
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(Leave::from).collect())
}

/// Returns a leave, if it exists.
pub(crate) async fn find(tx: &mut PgConnection, tenant: &TenantId, leave: LeaveId) -> Result<Option<Leave>, DbError> {
    let row: Option<Row> = sqlx::query_as(
        "select leave_id, member, start_time, end_time, reason from leaves where tenant_id = $1 and leave_id = $2",
    )
    .bind(tenant.as_str())
    .bind(leave.0)
    .fetch_optional(tx)
    .await?;
    Ok(row.map(Leave::from))
}

/// Writes a leave, whether it exists or not.
pub(crate) async fn put(
    tx: &mut PgConnection,
    tenant: &TenantId,
    leave: &Leave,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "insert into leaves (tenant_id, leave_id, member, start_time, end_time, reason, create_time, update_time)
         values ($1, $2, $3, $4, $5, $6, $7, $7)
         on conflict (tenant_id, leave_id) do update
             set member = excluded.member, start_time = excluded.start_time, end_time = excluded.end_time,
                 reason = excluded.reason, update_time = excluded.update_time",
    )
    .bind(tenant.as_str())
    .bind(leave.id.0)
    .bind(leave.member.id())
    .bind(leave.start.to_sqlx())
    .bind(leave.end.to_sqlx())
    .bind(&leave.reason)
    .bind(now.to_sqlx())
    .execute(tx)
    .await?;
    Ok(())
}

/// Removes a leave.
pub(crate) async fn delete(tx: &mut PgConnection, tenant: &TenantId, leave: LeaveId) -> Result<(), DbError> {
    sqlx::query("delete from leaves where tenant_id = $1 and leave_id = $2")
        .bind(tenant.as_str())
        .bind(leave.0)
        .execute(tx)
        .await?;
    Ok(())
}
