//! What was done with leads.

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

/// Lists a lead's follow-ups, newest first, older than `before`.
pub(crate) async fn list(
    tx: &mut PgConnection,
    tenant: &TenantId,
    lead: LeadId,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<FollowUpRow>, DbError> {
    let rows = sqlx::query_as(
        "select follow_up_id, lead_id, member, kind, attitude, next_action, note, screening_complete, occur_time,
             create_time, progress_tag
         from follow_ups where tenant_id = $1 and lead_id = $2 and ($3::uuid is null or follow_up_id < $3)
         order by follow_up_id desc limit $4",
    )
    .bind(tenant.as_str())
    .bind(lead.0)
    .bind(before)
    .bind(limit)
    .fetch_all(tx)
    .await?;
    Ok(rows)
}
