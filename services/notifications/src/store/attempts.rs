//! What became of each try to deliver a message: the try, the message's new state and the channel's health.

use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx};
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use crate::domain::message::Class;

/// One try.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// When it ended.
    pub create_time: Timestamp,
    /// The provider's business code, or ours.
    pub provider_code: String,
    /// `delivered`, `retry_later`, `give_up` or `limit_hit`.
    pub outcome: String,
    /// How long the provider took.
    pub latency: SignedDuration,
    /// Detail, free of secrets.
    pub detail: String,
}

#[derive(FromRow)]
struct Row {
    create_time: SqlTimestamp,
    provider_code: String,
    outcome: String,
    latency_microseconds: i64,
    detail: String,
}

/// Lists the tries of a message, in order.
///
/// # Errors
/// When the database fails.
pub async fn list(tx: &mut PgConnection, tenant: &TenantId, message: Uuid) -> Result<Vec<Attempt>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "select create_time, provider_code, outcome, latency_microseconds, detail from attempts
         where tenant_id = $1 and message = $2 order by number",
    )
    .bind(tenant.as_str())
    .bind(message)
    .fetch_all(tx)
    .await?;
    let attempts = rows.into_iter().map(|row| Attempt {
        create_time: row.create_time.to_jiff(),
        provider_code: row.provider_code,
        outcome: row.outcome,
        latency: SignedDuration::from_micros(row.latency_microseconds),
        detail: row.detail,
    });
    Ok(attempts.collect())
}

/// Writes a try of a message and returns how often the message has failed before.
///
/// # Errors
/// When the database fails.
pub async fn insert(
    tx: &mut PgConnection,
    tenant: &TenantId,
    message: Uuid,
    attempt: &Attempt,
) -> Result<i32, DbError> {
    let failures = sqlx::query_scalar(
        "with counted as (
             update messages set attempts = attempts + 1 where tenant_id = $1 and message = $2
             returning tenant_id, message, attempts, failures
         ), written as (
             insert into attempts (tenant_id, message, number, provider_code, outcome, latency_microseconds, detail,
                 create_time)
             select tenant_id, message, attempts, $3, $4, $5, $6, $7 from counted
         )
         select failures from counted",
    )
    .bind(tenant.as_str())
    .bind(message)
    .bind(&attempt.provider_code)
    .bind(&attempt.outcome)
    .bind(i64::try_from(attempt.latency.as_micros()).unwrap_or(i64::MAX))
    .bind(&attempt.detail)
    .bind(attempt.create_time.to_sqlx())
    .fetch_one(tx)
    .await?;
    Ok(failures)
}

/// A message somebody has learned of.
#[derive(Debug, Clone, FromRow)]
pub struct Told {
    /// The message.
    pub message: Uuid,
    /// To whom.
    pub recipient: String,
    /// What about.
    pub subject: String,
    /// The event that caused it.
    pub cause_event: Uuid,
    /// Whether it is a digest.
    pub is_digest: bool,
}

/// Marks a message as delivered, and those merged into it; returns all of them.
///
/// Also one that was stopped meanwhile: the ledger says what happened.
///
/// # Errors
/// When the database fails.
pub async fn delivered(
    tx: &mut PgConnection,
    tenant: &TenantId,
    message: Uuid,
    now: Timestamp,
) -> Result<Vec<Told>, DbError> {
    Ok(sqlx::query_as(
        "with sent as (
             update messages set state = 'delivered', reason = '', deliver_time = $3
             where tenant_id = $1 and message = $2 and state in ('pending', 'stopped')
             returning message, recipient, subject, cause_event, is_digest
         ), merged as (
             update messages set deliver_time = $3
             where tenant_id = $1 and merged_into = (select message from sent where is_digest)
             returning message, recipient, subject, cause_event, is_digest
         )
         select * from sent union all select * from merged",
    )
    .bind(tenant.as_str())
    .bind(message)
    .bind(now.to_sqlx())
    .fetch_all(tx)
    .await?)
}

/// Lets a message wait for another try; one that was stopped meanwhile stays stopped.
///
/// # Errors
/// When the database fails.
pub async fn put_off(
    tx: &mut PgConnection,
    tenant: &TenantId,
    message: Uuid,
    until: Timestamp,
    failures: i32,
) -> Result<(), DbError> {
    sqlx::query(
        "update messages set next_attempt_time = $3, failures = $4
         where tenant_id = $1 and message = $2 and state = 'pending'",
    )
    .bind(tenant.as_str())
    .bind(message)
    .bind(until.to_sqlx())
    .bind(failures)
    .execute(tx)
    .await?;
    Ok(())
}

/// Gives a message up, and those merged into it; returns all of them.
///
/// # Errors
/// When the database fails.
pub async fn failed(
    tx: &mut PgConnection,
    tenant: &TenantId,
    message: Uuid,
    reason: &str,
) -> Result<Vec<Told>, DbError> {
    Ok(sqlx::query_as(
        "with given_up as (
             update messages set state = 'failed', reason = $3, failures = failures + 1
             where tenant_id = $1 and message = $2 and state = 'pending'
             returning message, recipient, subject, cause_event, is_digest
         )
         select * from given_up
         union all
         select message, recipient, subject, cause_event, is_digest from messages
         where tenant_id = $1 and merged_into = (select message from given_up where is_digest)",
    )
    .bind(tenant.as_str())
    .bind(message)
    .bind(reason)
    .fetch_all(tx)
    .await?)
}

/// Gives up the oldest messages of a class that wait for a channel, and those merged into them; returns all of them.
///
/// # Errors
/// When the database fails.
pub async fn give_up(
    tx: &mut PgConnection,
    tenant: &TenantId,
    channel: &str,
    class: Class,
    reason: &str,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<Told>, DbError> {
    Ok(sqlx::query_as(
        "with waiting as (
             select message from messages
             where tenant_id = $1 and channel = $2 and class = $3 and state = 'pending' and next_attempt_time <= $5
             order by message limit $6 for no key update
         ), given_up as (
             update messages m set state = 'failed', reason = $4 from waiting w
             where m.tenant_id = $1 and m.message = w.message
             returning m.message, recipient, subject, cause_event, is_digest
         )
         select * from given_up
         union all
         select message, recipient, subject, cause_event, is_digest from messages
         where tenant_id = $1 and merged_into in (select message from given_up where is_digest)",
    )
    .bind(tenant.as_str())
    .bind(channel)
    .bind(class.as_str())
    .bind(reason)
    .bind(now.to_sqlx())
    .bind(limit)
    .fetch_all(tx)
    .await?)
}

/// Marks a message as failed although it was taken; returns it, unless it had failed already.
///
/// # Errors
/// When the database fails.
pub async fn bounced(
    tx: &mut PgConnection,
    tenant: &TenantId,
    message: Uuid,
    reason: &str,
) -> Result<Vec<Told>, DbError> {
    Ok(sqlx::query_as(
        "update messages set state = 'failed', reason = $3, deliver_time = null
         where tenant_id = $1 and message = $2 and state in ('pending', 'delivered')
         returning message, recipient, subject, cause_event, is_digest",
    )
    .bind(tenant.as_str())
    .bind(message)
    .bind(reason)
    .fetch_all(tx)
    .await?)
}
