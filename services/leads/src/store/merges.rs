//! Merges of leads: what they changed, and how that is taken back.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx};
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use serde_json::Value;
use sqlx::{FromRow, PgConnection, types::Json};
use uuid::Uuid;

use super::leads::LeadRow;
use crate::domain::{
    ids::{LeadId, MemberId, MergeId},
    lead::State,
    merge::{ATTRIBUTE, Because, Choices, Content, Images, Preference, Side},
};

/// A merge as stored.
#[derive(Debug, FromRow)]
pub(crate) struct MergeRow {
    pub(crate) merge_id: Uuid,
    pub(crate) survivor: Uuid,
    pub(crate) loser: Uuid,
    pub(crate) merge_time: SqlTimestamp,
    pub(crate) member: Option<String>,
    pub(crate) reason: String,
    preferred: String,
    because: String,
    pub(crate) choices: Json<Choices>,
    pub(crate) images: Json<Images>,
    pub(crate) loser_timers: Json<Vec<Value>>,
    pub(crate) survivor_timers: Json<Vec<Value>>,
    pub(crate) unmerge_time: Option<SqlTimestamp>,
    pub(crate) unmerge_member: Option<String>,
    pub(crate) unmerge_reason: Option<String>,
}

/// The columns of [`MergeRow`], for `concat!` into a statement.
macro_rules! merge_columns {
    () => {
        "merge_id, survivor, loser, merge_time, member, reason, preferred, because, choices, images, loser_timers,
         survivor_timers, unmerge_time, unmerge_member, unmerge_reason"
    };
}

impl MergeRow {
    /// Returns the side that is believed.
    pub(crate) fn preference(&self) -> Preference {
        let side = if self.preferred == Side::Loser.as_str() {
            Side::Loser
        } else {
            Side::Survivor
        };
        let because = if self.because == Because::Confirmed.as_str() {
            Because::Confirmed
        } else {
            Because::Newer
        };
        Preference { side, because }
    }
}

/// A merge to be written.
pub(crate) struct NewMerge<'a> {
    pub(crate) id: MergeId,
    pub(crate) survivor: LeadId,
    pub(crate) loser: LeadId,
    pub(crate) time: Timestamp,
    pub(crate) member: Option<&'a MemberId>,
    pub(crate) reason: &'a str,
    pub(crate) preference: Preference,
    pub(crate) choices: &'a Choices,
    pub(crate) images: &'a Images,
    pub(crate) loser_timers: Vec<Value>,
    pub(crate) survivor_timers: Vec<Value>,
}

/// Writes a merge.
pub(crate) async fn insert(tx: &mut PgConnection, tenant: &TenantId, merge: &NewMerge<'_>) -> Result<(), DbError> {
    sqlx::query(
        "insert into lead_merges (tenant_id, merge_id, survivor, loser, merge_time, member, reason, preferred, because,
             choices, images, loser_timers, survivor_timers)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(tenant.as_str())
    .bind(merge.id.0)
    .bind(merge.survivor.0)
    .bind(merge.loser.0)
    .bind(merge.time.to_sqlx())
    .bind(merge.member.map(MemberId::id))
    .bind(merge.reason)
    .bind(merge.preference.side.as_str())
    .bind(merge.preference.because.as_str())
    .bind(Json(merge.choices))
    .bind(Json(merge.images))
    .bind(Json(&merge.loser_timers))
    .bind(Json(&merge.survivor_timers))
    .execute(tx)
    .await?;
    Ok(())
}

/// Finds a merge.
pub(crate) async fn find(
    tx: &mut PgConnection,
    tenant: &TenantId,
    merge: MergeId,
) -> Result<Option<MergeRow>, DbError> {
    let found = sqlx::query_as(concat!(
        "select ",
        merge_columns!(),
        " from lead_merges where tenant_id = $1 and merge_id = $2"
    ))
    .bind(tenant.as_str())
    .bind(merge.0)
    .fetch_optional(tx)
    .await?;
    Ok(found)
}

/// Lists the merges that hold into a lead, in their order; they stay as they are while the lead is locked.
pub(crate) async fn list_into(
    tx: &mut PgConnection,
    tenant: &TenantId,
    survivor: LeadId,
) -> Result<Vec<MergeRow>, DbError> {
    let rows = sqlx::query_as(concat!(
        "select ",
        merge_columns!(),
        " from lead_merges where tenant_id = $1 and survivor = $2 and unmerge_time is null order by merge_id"
    ))
    .bind(tenant.as_str())
    .bind(survivor.0)
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

/// Lists merges, of all leads or of one, newest first, older than `before`.
pub(crate) async fn list(
    tx: &mut PgConnection,
    tenant: &TenantId,
    lead: Option<LeadId>,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<MergeRow>, DbError> {
    // Two statements, as a plan for both would go by neither index.
    let statement = match lead {
        None => concat!(
            "select ",
            merge_columns!(),
            " from lead_merges where tenant_id = $1 and ($3::uuid is null or merge_id < $3) and $2::uuid is null
              order by merge_id desc limit $4"
        ),
        Some(_) => concat!(
            "select ",
            merge_columns!(),
            " from lead_merges where tenant_id = $1 and (survivor = $2 or loser = $2)
                  and ($3::uuid is null or merge_id < $3)
              order by merge_id desc limit $4"
        ),
    };
    let rows = sqlx::query_as(statement)
        .bind(tenant.as_str())
        .bind(lead.map(|lead| lead.0))
        .bind(before)
        .bind(limit)
        .fetch_all(tx)
        .await?;
    Ok(rows)
}

/// Notes that a merge was undone.
pub(crate) async fn set_undone(
    tx: &mut PgConnection,
    tenant: &TenantId,
    merge: MergeId,
    by: Option<&MemberId>,
    reason: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "update lead_merges set unmerge_time = $3, unmerge_member = $4, unmerge_reason = $5
         where tenant_id = $1 and merge_id = $2",
    )
    .bind(tenant.as_str())
    .bind(merge.0)
    .bind(now.to_sqlx())
    .bind(by.map(MemberId::id))
    .bind(reason)
    .execute(tx)
    .await?;
    Ok(())
}

/// Changes what a merge remembers, after one before it was undone.
pub(crate) async fn set_images(
    tx: &mut PgConnection,
    tenant: &TenantId,
    merge: Uuid,
    images: &Images,
) -> Result<(), DbError> {
    sqlx::query("update lead_merges set images = $3 where tenant_id = $1 and merge_id = $2")
        .bind(tenant.as_str())
        .bind(merge)
        .bind(Json(images))
        .execute(tx)
        .await?;
    Ok(())
}

/// Hands timers of the survivor to a merge that keeps them stopped.
pub(crate) async fn keep_timers(
    tx: &mut PgConnection,
    tenant: &TenantId,
    merge: Uuid,
    timers: &[Value],
) -> Result<(), DbError> {
    sqlx::query(
        "update lead_merges set survivor_timers = survivor_timers || $3::jsonb where tenant_id = $1 and merge_id = $2",
    )
    .bind(tenant.as_str())
    .bind(merge)
    .bind(Json(timers))
    .execute(tx)
    .await?;
    Ok(())
}

/// Returns what a lead says.
pub(crate) fn content_of(lead: &LeadRow) -> Content {
    let budget = format!("{} {}", lead.budget_min_fen, lead.budget_max_fen);
    let fields = [
        ("account", lead.account.clone()),
        ("budget", if budget == "0 0" { String::new() } else { budget }),
        ("company", lead.company.clone()),
        ("contact_name", lead.contact_name.clone()),
        ("email", lead.email.clone()),
        ("phone", lead.phone.clone()),
        ("product", lead.product.clone()),
        ("remark", lead.remark.clone()),
        ("territory", lead.territory.clone()),
        ("urgency", lead.urgency.clone().unwrap_or_default()),
    ];
    let fields = fields.map(|(field, value)| (field.to_owned(), value));
    let attributes = lead.attributes.0.iter();
    let attributes = attributes.map(|(name, value)| (format!("{ATTRIBUTE}{name}"), value.clone()));
    Content(fields.into_iter().chain(attributes).collect())
}

/// Lets a lead say something else, and have another first contact.
pub(crate) async fn set_content(
    tx: &mut PgConnection,
    tenant: &TenantId,
    lead: LeadId,
    content: &Content,
    state: State,
    first_contact: Option<Timestamp>,
) -> Result<(), DbError> {
    let text = |field: &str| content.find(field).unwrap_or_default().to_owned();
    let budget = text("budget");
    let (least, most) = budget.split_once(' ').unwrap_or_default();
    let attributes: BTreeMap<&str, &str> = content
        .0
        .iter()
        .filter_map(|(field, value)| Some((field.strip_prefix(ATTRIBUTE)?, value.as_str())))
        .collect();
    sqlx::query(
        "update leads set account = $3, company = $4, contact_name = $5, email = $6, phone = $7, product = $8, remark = $9,
             territory = $10, urgency = nullif($11, ''), budget_min_fen = $12, budget_max_fen = $13, attributes = $14,
             state = $15, first_contact_time = $16
         where tenant_id = $1 and lead_id = $2",
    )
    .bind(tenant.as_str())
    .bind(lead.0)
    .bind(text("account"))
    .bind(text("company"))
    .bind(text("contact_name"))
    .bind(text("email"))
    .bind(text("phone"))
    .bind(text("product"))
    .bind(text("remark"))
    .bind(text("territory"))
    .bind(text("urgency"))
    .bind(least.parse::<i64>().unwrap_or_default())
    .bind(most.parse::<i64>().unwrap_or_default())
    .bind(Json(attributes))
    .bind(state.as_str())
    .bind(first_contact.map(ToSqlx::to_sqlx))
    .execute(tx)
    .await?;
    Ok(())
}

/// Returns when a lead was closed.
pub(crate) async fn find_close_time(
    tx: &mut PgConnection,
    tenant: &TenantId,
    lead: LeadId,
) -> Result<Option<Timestamp>, DbError> {
    let time: Option<SqlTimestamp> =
        sqlx::query_scalar("select close_time from leads where tenant_id = $1 and lead_id = $2")
            .bind(tenant.as_str())
            .bind(lead.0)
            .fetch_one(tx)
            .await?;
    Ok(time.map(SqlTimestamp::to_jiff))
}

/// Makes a lead stand for another. It counts as closed from now on, so that rehearsals see the room that its owner got.
pub(crate) async fn set_merged(
    tx: &mut PgConnection,
    tenant: &TenantId,
    lead: LeadId,
    survivor: LeadId,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "update leads set state = 'merged', merged_into = $3, queue_reason = null, close_time = coalesce(close_time, $4)
         where tenant_id = $1 and lead_id = $2",
    )
    .bind(tenant.as_str())
    .bind(lead.0)
    .bind(survivor.0)
    .bind(now.to_sqlx())
    .execute(tx)
    .await?;
    Ok(())
}

/// How a lead stands when it is one of its own again.
pub(crate) struct Comeback<'a> {
    pub(crate) state: State,
    pub(crate) queue_reason: Option<&'a str>,
    pub(crate) close_time: Option<Timestamp>,
    pub(crate) outcome: Option<&'a str>,
    pub(crate) first_contact: Option<Timestamp>,
}

/// Makes a lead one of its own again.
pub(crate) async fn set_unmerged(
    tx: &mut PgConnection,
    tenant: &TenantId,
    lead: LeadId,
    comeback: &Comeback<'_>,
) -> Result<(), DbError> {
    sqlx::query(
        "update leads set state = $3, merged_into = null, queue_reason = $4, close_time = $5, outcome = $6,
             first_contact_time = $7
         where tenant_id = $1 and lead_id = $2",
    )
    .bind(tenant.as_str())
    .bind(lead.0)
    .bind(comeback.state.as_str())
    .bind(comeback.queue_reason)
    .bind(comeback.close_time.map(ToSqlx::to_sqlx))
    .bind(comeback.outcome)
    .bind(comeback.first_contact.map(ToSqlx::to_sqlx))
    .execute(tx)
    .await?;
    Ok(())
}
