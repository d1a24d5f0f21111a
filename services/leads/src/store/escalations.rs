//! Steps of ladders that were taken, and who acknowledged them.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgConnection};

use crate::domain::{
    ids::{LeadId, MemberId},
    ladder::Audience,
};

/// A step that is taken.
#[derive(Debug, Clone)]
pub(crate) struct Escalation {
    pub(crate) lead: LeadId,
    pub(crate) step: i16,
    /// When the clock of its ladder started.
    pub(crate) clock_start: Timestamp,
    /// Whether its ladder ends once somebody it told acknowledges.
    pub(crate) acknowledge_stops: bool,
    pub(crate) recipient: Option<MemberId>,
    pub(crate) deputising_for: Option<MemberId>,
    pub(crate) audience: Audience,
    pub(crate) time: Timestamp,
}

/// Writes a step and returns whether it was not taken before.
pub(crate) async fn insert(tx: &mut PgConnection, tenant: &TenantId, escalation: &Escalation) -> Result<bool, DbError> {
    let inserted = sqlx::query(
        "insert into escalations (tenant_id, lead_id, step, recipient, deputising_for, audience, escalate_time,
             clock_start, acknowledge_stops)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing",
    )
    .bind(tenant.as_str())
    .bind(escalation.lead.0)
    .bind(escalation.step)
    .bind(escalation.recipient.as_ref().map(MemberId::id))
    .bind(escalation.deputising_for.as_ref().map(MemberId::id))
    .bind(escalation.audience.as_str())
    .bind(escalation.time.to_sqlx())
    .bind(escalation.clock_start.to_sqlx())
    .bind(escalation.acknowledge_stops)
    .execute(tx)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// Tells whether somebody whom the ladder with this clock told has acknowledged.
pub(crate) async fn is_acknowledged(
    tx: &mut PgConnection,
    tenant: &TenantId,
    lead: LeadId,
    clock_start: Timestamp,
) -> Result<bool, DbError> {
    Ok(sqlx::query_scalar(
        "select exists (select from escalations
             where tenant_id = $1 and lead_id = $2 and clock_start = $3 and acknowledge_time is not null)",
    )
    .bind(tenant.as_str())
    .bind(lead.0)
    .bind(clock_start.to_sqlx())
    .fetch_one(tx)
    .await?)
}

/// What a member acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromRow)]
pub(crate) struct Acknowledged {
    /// The latest step that told them.
    pub(crate) step: i16,
    /// Whether the ladder ends with it.
    pub(crate) acknowledge_stops: bool,
    /// Whether they had acknowledged all of it before.
    pub(crate) was_before: bool,
}

/// Acknowledges what the latest ladder of a lead told a member; none when it told them nothing. Under the lead's lock.
pub(crate) async fn acknowledge(
    tx: &mut PgConnection,
    tenant: &TenantId,
    lead: LeadId,
    member: &MemberId,
    now: Timestamp,
) -> Result<Option<Acknowledged>, DbError> {
    Ok(sqlx::query_as(
        "with latest as (
             select max(clock_start) as clock_start from escalations where tenant_id = $1 and lead_id = $2
         ), told as (
             select e.step, e.clock_start, e.acknowledge_stops, e.acknowledge_time
             from escalations e join latest using (clock_start)
             where e.tenant_id = $1 and e.lead_id = $2 and e.recipient = $3
         ), marked as (
             update escalations e set acknowledge_time = $4 from told
             where e.tenant_id = $1 and e.lead_id = $2 and e.clock_start = told.clock_start and e.step = told.step
                 and e.acknowledge_time is null
         )
         select max(step) as step, bool_or(acknowledge_stops) as acknowledge_stops,
             bool_and(acknowledge_time is not null) as was_before
         from told having count(*) > 0",
    )
    .bind(tenant.as_str())
    .bind(lead.0)
    .bind(member.id())
    .bind(now.to_sqlx())
    .fetch_optional(tx)
    .await?)
}
