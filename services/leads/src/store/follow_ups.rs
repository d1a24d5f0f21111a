//! What was done with leads.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx};
use reflex_pg::DbError;
use reflex_proto::leads::v1::FollowUp;
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use crate::{
    convert::{self, ATTITUDES, KINDS},
    domain::ids::{FollowUpId, LeadId, MemberId, ProgressTagId},
    store::leads::stored,
};

/// A follow-up as stored.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct FollowUpRow {
    pub(crate) follow_up_id: Uuid,
    pub(crate) lead_id: Uuid,
    pub(crate) member: String,
    pub(crate) kind: String,
    pub(crate) attitude: Option<String>,
    pub(crate) next_action: String,
    pub(crate) note: String,
    pub(crate) screening_complete: bool,
    pub(crate) occur_time: SqlTimestamp,
    pub(crate) create_time: SqlTimestamp,
    pub(crate) progress_tag: Option<String>,
}

impl FollowUpRow {
    /// Returns how far the sale was after it, if it said so.
    pub(crate) fn progress_tag(&self) -> Option<ProgressTagId> {
        self.progress_tag.as_deref().map(stored)
    }

    /// Converts to the message.
    pub(crate) fn to_message(&self) -> FollowUp {
        FollowUp {
            name: FollowUpId(self.follow_up_id).to_string(),
            lead: LeadId(self.lead_id).to_string(),
            member: stored::<MemberId>(&self.member).to_string(),
            kind: convert::value_of(&KINDS, Some(&self.kind)),
            attitude: convert::value_of(&ATTITUDES, self.attitude.as_deref()),
            next_action: self.next_action.clone(),
            note: self.note.clone(),
            screening_complete: self.screening_complete,
            occur_time: Some(convert::timestamp(self.occur_time.to_jiff())),
            create_time: Some(convert::timestamp(self.create_time.to_jiff())),
            progress_tag: self.progress_tag().map(|id| id.to_string()).unwrap_or_default(),
        }
    }
}

/// Writes a follow-up.
pub(crate) async fn insert(tx: &mut PgConnection, tenant: &TenantId, row: &FollowUpRow) -> Result<(), DbError> {
    sqlx::query(
        "insert into follow_ups (tenant_id, follow_up_id, lead_id, member, kind, attitude, next_action, note,
             screening_complete, occur_time, create_time, progress_tag)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(tenant.as_str())
    .bind(row.follow_up_id)
    .bind(row.lead_id)
    .bind(&row.member)
    .bind(&row.kind)
    .bind(&row.attitude)
    .bind(&row.next_action)
    .bind(&row.note)
    .bind(row.screening_complete)
    .bind(row.occur_time.to_jiff().to_sqlx())
    .bind(row.create_time.to_jiff().to_sqlx())
    .bind(&row.progress_tag)
    .execute(tx)
    .await?;
    Ok(())
}

/// Returns whether a call or visit of this lead was recorded, and whether any follow-up completed the screening form.
pub(crate) async fn progress(tx: &mut PgConnection, tenant: &TenantId, lead: LeadId) -> Result<(bool, bool), DbError> {
    let progress = sqlx::query_as(
        "select coalesce(bool_or(kind in ('call', 'visit')), false), coalesce(bool_or(screening_complete), false)
         from follow_ups where tenant_id = $1 and lead_id = $2",
    )
    .bind(tenant.as_str())
    .bind(lead.0)
    .fetch_one(tx)
    .await?;
    Ok(progress)
}

/// Lists the follow-ups of a lead and of those merged into it, newest first, older than `before`.
pub(crate) async fn list(
    tx: &mut PgConnection,
    tenant: &TenantId,
    lead: LeadId,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<FollowUpRow>, DbError> {
    let rows = sqlx::query_as(
        "select f.follow_up_id, f.lead_id, f.member, f.kind, f.attitude, f.next_action, f.note, f.screening_complete,
             f.occur_time, f.create_time, f.progress_tag
         from merged_leads($1, $2) as held (lead_id)
         cross join lateral (
             select * from follow_ups f where f.tenant_id = $1 and f.lead_id = held.lead_id
                 and ($3::uuid is null or f.follow_up_id < $3)
             order by f.follow_up_id desc limit $4
         ) f
         order by f.follow_up_id desc limit $4",
    )
    .bind(tenant.as_str())
    .bind(lead.0)
    .bind(before)
    .bind(limit)
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

/// Returns when the customers of these leads, and of those merged into them, were last called or visited.
pub(crate) async fn list_last_reached(
    tx: &mut PgConnection,
    tenant: &TenantId,
    leads: &[LeadId],
) -> Result<HashMap<Uuid, Timestamp>, DbError> {
    let rows: Vec<(Uuid, SqlTimestamp)> = sqlx::query_as(
        "select asked.lead_id, max(f.occur_time) from unnest($2::uuid[]) as asked (lead_id)
         cross join lateral merged_leads($1, asked.lead_id) as held (lead_id)
         join follow_ups f on f.tenant_id = $1 and f.lead_id = held.lead_id and f.kind in ('call', 'visit')
         group by asked.lead_id",
    )
    .bind(tenant.as_str())
    .bind(leads.iter().map(|lead| lead.0).collect::<Vec<_>>())
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(|(lead, time)| (lead, time.to_jiff())).collect())
}

/// Lists the ids of a lead's own follow-ups later than `after`, oldest first.
pub(crate) async fn list_ids_after(
    tx: &mut PgConnection,
    tenant: &TenantId,
    lead: LeadId,
    after: Uuid,
) -> Result<Vec<Uuid>, DbError> {
    let ids = sqlx::query_scalar(
        "select follow_up_id from follow_ups where tenant_id = $1 and lead_id = $2 and follow_up_id > $3
         order by follow_up_id",
    )
    .bind(tenant.as_str())
    .bind(lead.0)
    .bind(after)
    .fetch_all(tx)
    .await?;
    Ok(ids)
}

/// Gives follow-ups to another lead.
pub(crate) async fn move_to(
    tx: &mut PgConnection,
    tenant: &TenantId,
    follow_ups: &[Uuid],
    lead: LeadId,
) -> Result<(), DbError> {
    sqlx::query("update follow_ups set lead_id = $3 where tenant_id = $1 and follow_up_id = any ($2)")
        .bind(tenant.as_str())
        .bind(follow_ups)
        .bind(lead.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// Returns when a lead's own follow-ups first amounted to a contact: a call or visit, and the screening form where it is
/// `screened`.
pub(crate) async fn find_first_contact(
    tx: &mut PgConnection,
    tenant: &TenantId,
    lead: LeadId,
    screened: bool,
) -> Result<Option<Timestamp>, DbError> {
    let time: Option<SqlTimestamp> = sqlx::query_scalar(
        "select greatest(min(create_time) filter (where kind in ('call', 'visit')),
             case when $3 then min(create_time) filter (where screening_complete) end)
         from follow_ups where tenant_id = $1 and lead_id = $2
         having bool_or(kind in ('call', 'visit')) and (bool_or(screening_complete) or not $3)",
    )
    .bind(tenant.as_str())
    .bind(lead.0)
    .bind(screened)
    .fetch_optional(tx)
    .await?
    .flatten();
    Ok(time.map(SqlTimestamp::to_jiff))
}
