//! The delivery log, as it is shown, and single deliveries that are asked for again.

use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx};
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use crate::domain::subscription::Progress;

/// Attempts that are shown with a delivery.
const SHOWN: i32 = 20;

/// One event for one subscription.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Where the event stands in the order.
    pub sequence: i64,
    /// The event's id.
    pub event: Uuid,
    /// Full name of its message; none when it is not kept any more.
    pub kind: Option<String>,
    /// What it is about.
    pub subject: String,
    /// How far it has come.
    pub progress: Progress,
    /// Why it was given up.
    pub reason: String,
    /// When the event happened; none when it is not kept any more.
    pub event_time: Option<Timestamp>,
    /// When it was written.
    pub create_time: Timestamp,
    /// When it is tried next.
    pub next_attempt_time: Timestamp,
    /// When it was taken.
    pub deliver_time: Option<Timestamp>,
    /// Attempts so far.
    pub attempt_count: i32,
    /// The last attempts, oldest first.
    pub attempts: Vec<Tried>,
}

/// One attempt.
#[derive(Debug, Clone)]
pub struct Tried {
    /// From 1; 0 for one that belongs to no delivery.
    pub number: i32,
    /// What it came to.
    pub outcome: String,
    /// HTTP status; 0 without an answer.
    pub status: i32,
    /// What went wrong.
    pub detail: String,
    /// How long it took.
    pub latency: SignedDuration,
    /// When it ended.
    pub create_time: Timestamp,
}

#[derive(FromRow)]
struct Row {
    sequence: i64,
    event: Uuid,
    kind: Option<String>,
    subject: String,
    state: String,
    reason: String,
    event_time: Option<SqlTimestamp>,
    create_time: SqlTimestamp,
    next_attempt_time: SqlTimestamp,
    deliver_time: Option<SqlTimestamp>,
    attempts: i32,
}

#[derive(FromRow)]
struct TriedRow {
    sequence: i64,
    number: i32,
    outcome: String,
    status: i32,
    detail: String,
    latency_microseconds: i64,
    create_time: SqlTimestamp,
}

/// Lists deliveries of a subscription, newest first, from before `before` on, with their last attempts.
///
/// # Errors
/// When the database fails.
pub async fn list(
    tx: &mut PgConnection,
    tenant: &TenantId,
    subscription: &str,
    progress: Option<Progress>,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Delivery>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "select d.sequence, d.event, e.kind, d.subject, d.state, d.reason, e.time as event_time, d.create_time,
             d.next_attempt_time, d.deliver_time, d.attempts
         from deliveries d left join subscription_events e on e.tenant_id = d.tenant_id and e.sequence = d.sequence
         where d.tenant_id = $1 and d.subscription = $2 and ($3::text is null or d.state = $3)
             and ($4::bigint is null or d.sequence < $4)
         order by d.sequence desc limit $5",
    )
    .bind(tenant.as_str())
    .bind(subscription)
    .bind(progress.map(Progress::as_str))
    .bind(before)
    .bind(limit)
    .fetch_all(&mut *tx)
    .await?;
    let sequences: Vec<i64> = rows.iter().map(|row| row.sequence).collect();
    let tried: Vec<TriedRow> = sqlx::query_as(
        "select a.sequence, a.number, a.outcome, a.status, a.detail, a.latency_microseconds, a.create_time
         from deliveries d join delivery_attempts a
             on a.tenant_id = d.tenant_id and a.subscription = d.subscription and a.sequence = d.sequence
             and a.number > d.attempts - $4
         where d.tenant_id = $1 and d.subscription = $2 and d.sequence = any ($3::bigint[])
         order by a.sequence, a.number",
    )
    .bind(tenant.as_str())
    .bind(subscription)
    .bind(sequences)
    .bind(SHOWN)
    .fetch_all(tx)
    .await?;
    let mut deliveries: Vec<Delivery> = rows.into_iter().map(delivery).collect();
    for row in tried {
        if let Some(delivery) = deliveries.iter_mut().find(|delivery| delivery.sequence == row.sequence) {
            delivery.attempts.push(attempt(row));
        }
    }
    Ok(deliveries)
}

fn delivery(row: Row) -> Delivery {
    Delivery {
        sequence: row.sequence,
        event: row.event,
        kind: row.kind,
        subject: row.subject,
        progress: Progress::find(&row.state).expect("a check keeps other states out"),
        reason: row.reason,
        event_time: row.event_time.map(SqlTimestamp::to_jiff),
        create_time: row.create_time.to_jiff(),
        next_attempt_time: row.next_attempt_time.to_jiff(),
        deliver_time: row.deliver_time.map(SqlTimestamp::to_jiff),
        attempt_count: row.attempts,
        attempts: Vec::new(),
    }
}

fn attempt(row: TriedRow) -> Tried {
    Tried {
        number: row.number,
        outcome: row.outcome,
        status: row.status,
        detail: row.detail,
        latency: SignedDuration::from_micros(row.latency_microseconds),
        create_time: row.create_time.to_jiff(),
    }
}

/// What became of a request to deliver again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// It will be.
    Due,
    /// There is no such delivery.
    Missing,
    /// Its event is not kept any more.
    Forgotten,
}

/// Makes one delivery due at once.
///
/// # Errors
/// When the database fails.
pub async fn retry(
    tx: &mut PgConnection,
    tenant: &TenantId,
    subscription: &str,
    event: Uuid,
    now: Timestamp,
) -> Result<Again, DbError> {
    let kept: Option<i64> =
        sqlx::query_scalar("select sequence from subscription_events where tenant_id = $1 and event = $2")
            .bind(tenant.as_str())
            .bind(event)
            .fetch_optional(&mut *tx)
            .await?;
    let Some(sequence) = kept else {
        let is_there: bool = sqlx::query_scalar(
            "select exists (select from deliveries where tenant_id = $1 and subscription = $2 and event = $3)",
        )
        .bind(tenant.as_str())
        .bind(subscription)
        .bind(event)
        .fetch_one(tx)
        .await?;
        return Ok(if is_there { Again::Forgotten } else { Again::Missing });
    };
    let due = sqlx::query(
        "update deliveries set state = 'pending', reason = '', failures = 0, next_attempt_time = $4, deliver_time = null
         where tenant_id = $1 and subscription = $2 and sequence = $3",
    )
    .bind(tenant.as_str())
    .bind(subscription)
    .bind(sequence)
    .bind(now.to_sqlx())
    .execute(tx)
    .await?;
    Ok(if due.rows_affected() > 0 {
        Again::Due
    } else {
        Again::Missing
    })
}

/// Makes everything due that waits for a subscription.
///
/// # Errors
/// When the database fails.
pub async fn hurry(
    tx: &mut PgConnection,
    tenant: &TenantId,
    subscription: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "update deliveries set next_attempt_time = $3
         where tenant_id = $1 and subscription = $2 and state = 'pending' and next_attempt_time > $3",
    )
    .bind(tenant.as_str())
    .bind(subscription)
    .bind(now.to_sqlx())
    .execute(tx)
    .await?;
    Ok(())
}
