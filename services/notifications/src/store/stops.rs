//! Subjects nobody needs to be reminded of any more.

use std::collections::HashSet;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgConnection};

/// Tenant and subject.
pub type Subject = (TenantId, String);

/// Why a stopped message was not sent.
pub const REASON: &str = "no reminder is needed any more";

/// Why a message about a ladder that somebody acknowledged was not sent.
const ACKNOWLEDGED: &str = "somebody acknowledged";

#[derive(FromRow)]
struct Row {
    tenant_id: String,
    subject: String,
}

/// Remembers subjects as settled and stops what waits to be said about them.
///
/// A message whose send has begun is told to the provider all the same; its state says so afterwards.
///
/// # Errors
/// When the database fails.
pub async fn add(tx: &mut PgConnection, subjects: &[Subject], now: Timestamp) -> Result<(), DbError> {
    if subjects.is_empty() {
        return Ok(());
    }
    let (tenants, names) = columns(subjects);
    sqlx::query(
        "with settled as (
             select * from unnest($1::text[], $2::text[]) as settled (tenant_id, subject)
         ), remembered as (
             insert into stops (tenant_id, subject, create_time) select distinct tenant_id, subject, $3 from settled
             on conflict do nothing
         )
         update messages m set state = 'stopped', reason = $4 from settled s
         where m.tenant_id = s.tenant_id and m.subject = s.subject and m.state = 'pending' and m.class = 'escalation'",
    )
    .bind(tenants)
    .bind(names)
    .bind(now.to_sqlx())
    .bind(REASON)
    .execute(tx)
    .await?;
    Ok(())
}

/// Stops what waits to be said about steps of ladders that ended with somebody's acknowledgement. Nothing is remembered: what
/// may be told of these subjects afterwards is of another ladder, or of something else.
///
/// # Errors
/// When the database fails.
pub async fn acknowledge(tx: &mut PgConnection, subjects: &[Subject]) -> Result<(), DbError> {
    if subjects.is_empty() {
        return Ok(());
    }
    let (tenants, names) = columns(subjects);
    sqlx::query(
        "update messages m set state = 'stopped', reason = $3
         from unnest($1::text[], $2::text[]) as acknowledged (tenant_id, subject)
         where m.tenant_id = acknowledged.tenant_id and m.subject = acknowledged.subject and m.state = 'pending'
             and m.class = 'escalation' and starts_with(m.template, 'lead_escalated@')",
    )
    .bind(tenants)
    .bind(names)
    .bind(ACKNOWLEDGED)
    .execute(tx)
    .await?;
    Ok(())
}

/// Returns those of the subjects that are settled.
///
/// # Errors
/// When the database fails.
pub async fn among(tx: &mut PgConnection, subjects: &[Subject]) -> Result<HashSet<Subject>, DbError> {
    if subjects.is_empty() {
        return Ok(HashSet::new());
    }
    let (tenants, names) = columns(subjects);
    let rows: Vec<Row> = sqlx::query_as(
        "select distinct s.tenant_id, s.subject from stops s
         join unnest($1::text[], $2::text[]) as asked (tenant_id, subject) using (tenant_id, subject)",
    )
    .bind(tenants)
    .bind(names)
    .fetch_all(tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (super::tenant(&row.tenant_id), row.subject))
        .collect())
}

/// Forgets that subjects are settled: they are reminded of again.
///
/// # Errors
/// When the database fails.
pub async fn remove(tx: &mut PgConnection, subjects: &[Subject]) -> Result<(), DbError> {
    if subjects.is_empty() {
        return Ok(());
    }
    let (tenants, names) = columns(subjects);
    sqlx::query(
        "delete from stops s using unnest($1::text[], $2::text[]) as open (tenant_id, subject)
         where s.tenant_id = open.tenant_id and s.subject = open.subject",
    )
    .bind(tenants)
    .bind(names)
    .execute(tx)
    .await?;
    Ok(())
}

/// Returns tenants and names as columns.
pub(super) fn columns(subjects: &[Subject]) -> (Vec<&str>, Vec<&str>) {
    subjects
        .iter()
        .map(|(tenant, subject)| (tenant.as_str(), subject.as_str()))
        .unzip()
}
