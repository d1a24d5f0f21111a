//! Tags of leads, and the rules and progress tags that are set up for them.

use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx};
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use serde::Deserialize;
use sqlx::{FromRow, PgConnection};

use super::leads::stored;
use crate::domain::{
    ids::{LeadId, MemberId, ProgressTagId, TagRuleId},
    tags::{ProgressTag, Stage, TagRule, Versioned},
};

/// A rule as stored.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct RuleRow {
    tag_rule_id: String,
    version: i32,
    tag: String,
    condition: String,
    event: String,
    expire_days: i32,
    enabled: bool,
    pub(crate) update_time: SqlTimestamp,
}

impl RuleRow {
    /// Returns what the rule says.
    pub(crate) fn versioned(&self) -> Versioned {
        Versioned {
            rule: TagRule {
                id: stored(&self.tag_rule_id),
                tag: self.tag.clone(),
                condition: self.condition.clone(),
                event: self.event.clone(),
                expire_days: self.expire_days,
                enabled: self.enabled,
            },
            version: self.version,
        }
    }
}

/// Lists rules by id, `limit` of them after `after`; all without a limit.
pub(crate) async fn list_rules(
    tx: &mut PgConnection,
    tenant: &TenantId,
    after: Option<&str>,
    limit: Option<i64>,
) -> Result<Vec<RuleRow>, DbError> {
    let rows = sqlx::query_as(
        "select tag_rule_id, version, tag, condition, event, expire_days, enabled, update_time from tag_rules
         where tenant_id = $1 and tag_rule_id > coalesce($2, '') order by tag_rule_id limit $3",
    )
    .bind(tenant.as_str())
    .bind(after)
    .bind(limit)
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

/// Writes the next version of a rule, or a rule with its first, and returns it.
pub(crate) async fn put_rule(
    tx: &mut PgConnection,
    tenant: &TenantId,
    rule: &TagRule,
    now: Timestamp,
) -> Result<RuleRow, DbError> {
    let row = sqlx::query_as(
        "with rule as (
             insert into tag_rules as r
                 (tenant_id, tag_rule_id, version, tag, condition, event, expire_days, enabled, update_time)
             values ($1, $2, 1, $3, $4, $5, $6, $7, $8)
             on conflict (tenant_id, tag_rule_id) do update set version = r.version + 1, tag = excluded.tag,
                 condition = excluded.condition, event = excluded.event, expire_days = excluded.expire_days,
                 enabled = excluded.enabled, update_time = excluded.update_time
             returning *
         ), recorded as (
             insert into tag_rule_versions
                 (tenant_id, tag_rule_id, version, tag, condition, event, expire_days, enabled, create_time)
             select tenant_id, tag_rule_id, version, tag, condition, event, expire_days, enabled, update_time from rule
         )
         select tag_rule_id, version, tag, condition, event, expire_days, enabled, update_time from rule",
    )
    .bind(tenant.as_str())
    .bind(rule.id.id())
    .bind(&rule.tag)
    .bind(&rule.condition)
    .bind(&rule.event)
    .bind(rule.expire_days)
    .bind(rule.enabled)
    .bind(now.to_sqlx())
    .fetch_one(tx)
    .await?;
    Ok(row)
}

#[derive(FromRow)]
struct ProgressRow {
    progress_tag_id: String,
    label: String,
    stage: String,
    enabled: bool,
}

/// Lists progress tags by id, `limit` of them after `after`; all without a limit.
pub(crate) async fn list_progress_tags(
    tx: &mut PgConnection,
    tenant: &TenantId,
    after: Option<&str>,
    limit: Option<i64>,
) -> Result<Vec<ProgressTag>, DbError> {
    let rows: Vec<ProgressRow> = sqlx::query_as(
        "select progress_tag_id, label, stage, enabled from progress_tags
         where tenant_id = $1 and progress_tag_id > coalesce($2, '') order by progress_tag_id limit $3",
    )
    .bind(tenant.as_str())
    .bind(after)
    .bind(limit)
    .fetch_all(tx)
    .await?;
    let progress_tag = |row: ProgressRow| ProgressTag {
        id: stored(&row.progress_tag_id),
        label: row.label,
        stage: Stage::find(&row.stage).expect("the table's check allows known stages only"),
        enabled: row.enabled,
    };
    Ok(rows.into_iter().map(progress_tag).collect())
}

/// Writes a progress tag, whether it exists or not.
pub(crate) async fn put_progress_tag(
    tx: &mut PgConnection,
    tenant: &TenantId,
    progress_tag: &ProgressTag,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "insert into progress_tags (tenant_id, progress_tag_id, label, stage, enabled, update_time)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (tenant_id, progress_tag_id) do update set label = excluded.label, stage = excluded.stage,
             enabled = excluded.enabled, update_time = excluded.update_time",
    )
    .bind(tenant.as_str())
    .bind(progress_tag.id.id())
    .bind(&progress_tag.label)
    .bind(progress_tag.stage.as_str())
    .bind(progress_tag.enabled)
    .bind(now.to_sqlx())
    .execute(tx)
    .await?;
    Ok(())
}

/// A tag of a lead, as statements that read leads bring it along.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct TagRow {
    pub(crate) tag: String,
    pub(crate) rule: Option<String>,
    pub(crate) rule_version: Option<i32>,
    pub(crate) evidence: String,
    pub(crate) member: Option<String>,
    pub(crate) progress_tag: Option<String>,
    pub(crate) stage: Option<String>,
    pub(crate) tag_time: Timestamp,
    pub(crate) expire_time: Option<Timestamp>,
}

/// A tag to be given.
#[derive(Debug, Clone)]
pub(crate) struct NewTag {
    pub(crate) lead: LeadId,
    pub(crate) tag: String,
    pub(crate) rule: Option<(TagRuleId, i32)>,
    pub(crate) evidence: String,
    pub(crate) member: Option<MemberId>,
    pub(crate) progress: Option<(ProgressTagId, Stage)>,
    pub(crate) expire_time: Option<Timestamp>,
}

/// Gives leads tags. A tag that is there is renewed, but what somebody gave by hand no rule touches, and what tells the
/// progress of a lead only another progress. Returns the tags that were given or renewed.
pub(crate) async fn save(
    tx: &mut PgConnection,
    tenant: &TenantId,
    tags: &[NewTag],
    now: Timestamp,
) -> Result<Vec<String>, DbError> {
    if tags.is_empty() {
        return Ok(Vec::new());
    }
    macro_rules! column {
        (|$tag:ident| $value:expr) => {
            tags.iter().map(|$tag| $value).collect::<Vec<_>>()
        };
    }
    let saved = sqlx::query_scalar(
        "with given as (
             insert into lead_tags as t (tenant_id, lead_id, tag, rule, rule_version, evidence, member, progress_tag, stage,
                 expire_time, tag_time)
             select $1, *, $11 from unnest($2::uuid[], $3::text[], $4::text[], $5::integer[], $6::text[], $7::text[],
                 $8::text[], $9::text[], $10::timestamptz[])
             on conflict (tenant_id, lead_id, tag) do update set rule = excluded.rule,
                 rule_version = excluded.rule_version, evidence = excluded.evidence, member = excluded.member,
                 progress_tag = excluded.progress_tag, stage = excluded.stage, tag_time = excluded.tag_time,
                 expire_time = excluded.expire_time
             where (t.rule is not null or excluded.rule is null)
                 and (t.progress_tag is null or excluded.progress_tag is not null)
             returning t.lead_id, t.tag
         ), noted as (
             update leads set tagged = true
             where tenant_id = $1 and lead_id = any (select lead_id from given) and not tagged
         )
         select tag from given order by tag",
    )
    .bind(tenant.as_str())
    .bind(column!(|it| it.lead.0))
    .bind(column!(|it| it.tag.as_str()))
    .bind(column!(|it| it.rule.as_ref().map(|(rule, _)| rule.id())))
    .bind(column!(|it| it.rule.as_ref().map(|(_, version)| *version)))
    .bind(column!(|it| it.evidence.as_str()))
    .bind(column!(|it| it.member.as_ref().map(MemberId::id)))
    .bind(column!(|it| it.progress.as_ref().map(|(progress_tag, _)| progress_tag.id())))
    .bind(column!(|it| it.progress.as_ref().map(|(_, stage)| stage.as_str())))
    .bind(column!(|it| it.expire_time.map(ToSqlx::to_sqlx)))
    .bind(now.to_sqlx())
    .fetch_all(tx)
    .await?;
    Ok(saved)
}

/// Takes a tag from a lead; returns whether it had it.
pub(crate) async fn remove(tx: &mut PgConnection, tenant: &TenantId, lead: LeadId, tag: &str) -> Result<bool, DbError> {
    let removed = sqlx::query("delete from lead_tags where tenant_id = $1 and lead_id = $2 and tag = $3")
        .bind(tenant.as_str())
        .bind(lead.0)
        .bind(tag)
        .execute(tx)
        .await?;
    Ok(removed.rows_affected() > 0)
}

/// Takes the tag that tells the lead's progress from it, if it has one.
pub(crate) async fn remove_progress(tx: &mut PgConnection, tenant: &TenantId, lead: LeadId) -> Result<(), DbError> {
    sqlx::query("delete from lead_tags where tenant_id = $1 and lead_id = $2 and progress_tag is not null")
        .bind(tenant.as_str())
        .bind(lead.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// Takes a tag from a lead if it is over by now; returns whether it was.
pub(crate) async fn expire(
    tx: &mut PgConnection,
    tenant: &TenantId,
    lead: LeadId,
    tag: &str,
    now: Timestamp,
) -> Result<bool, DbError> {
    let expired =
        sqlx::query("delete from lead_tags where tenant_id = $1 and lead_id = $2 and tag = $3 and expire_time <= $4")
            .bind(tenant.as_str())
            .bind(lead.0)
            .bind(tag)
            .bind(now.to_sqlx())
            .execute(tx)
            .await?;
    Ok(expired.rows_affected() > 0)
}
