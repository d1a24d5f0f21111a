//! Steps of ladders that were taken.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::PgConnection;

use crate::domain::{
    ids::{LeadId, MemberId},
    ladder::Audience,
};

/// A step that is taken.
#[derive(Debug, Clone)]
pub(crate) struct Escalation {
    pub(crate) lead: LeadId,
    pub(crate) step: i16,
    pub(crate) recipient: Option<MemberId>,
    pub(crate) deputising_for: Option<MemberId>,
    pub(crate) audience: Audience,
    pub(crate) time: Timestamp,
}

/// Writes a step and returns whether it was not taken before.
pub(crate) async fn insert(tx: &mut PgConnection, tenant: &TenantId, escalation: &Escalation) -> Result<bool, DbError> {
    let inserted = sqlx::query(
        "insert into escalations (tenant_id, lead_id, step, recipient, deputising_for, audience, escalate_time)
         values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing",
    )
    .bind(tenant.as_str())
    .bind(escalation.lead.0)
    .bind(escalation.step)
    .bind(escalation.recipient.as_ref().map(MemberId::id))
    .bind(escalation.deputising_for.as_ref().map(MemberId::id))
    .bind(escalation.audience.as_str())
    .bind(escalation.time.to_sqlx())
    .execute(tx)
    .await?;
    Ok(inserted.rows_affected() == 1)
}
