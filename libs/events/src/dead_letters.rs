//! Events that could not be applied: kept with their reason in the consuming service's database, replayed or dropped by
//! hand.

use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx};
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use crate::{Envelope, Handler, HandlerError};

/// An event that could not be applied, and why.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// The event.
    pub event: Envelope,
    /// Why, in one sentence.
    pub reason: String,
    /// How often it was tried.
    pub attempts: i32,
    /// When it was given up.
    pub create_time: jiff::Timestamp,
}

/// Writes a dead letter; the same event once.
///
/// # Errors
/// When the database fails.
pub async fn bury(tx: &mut PgConnection, event: &Envelope, reason: &str, attempts: i32) -> Result<(), DbError> {
    sqlx::query(
        "insert into dead_letters (tenant_id, event_id, stream, shard, source, kind, subject, time, traceparent,
             causation_id, data, reason, attempts)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
         on conflict (tenant_id, event_id) do update
             set reason = excluded.reason, attempts = dead_letters.attempts + excluded.attempts",
    )
    .bind(event.tenant.as_str())
    .bind(event.id)
    .bind(&event.stream)
    .bind(event.shard)
    .bind(&event.source)
    .bind(&event.kind)
    .bind(&event.subject)
    .bind(event.time.to_sqlx())
    .bind(&event.traceparent)
    .bind(event.causation_id)
    .bind(&event.data)
    .bind(reason)
    .bind(attempts)
    .execute(tx)
    .await?;
    Ok(())
}

#[derive(FromRow)]
struct Row {
    tenant_id: String,
    event_id: Uuid,
    stream: String,
    shard: i16,
    source: String,
    kind: String,
    subject: String,
    time: SqlTimestamp,
    traceparent: Option<String>,
    causation_id: Option<Uuid>,
    data: Vec<u8>,
    reason: String,
    attempts: i32,
    create_time: SqlTimestamp,
}

impl From<Row> for DeadLetter {
    fn from(row: Row) -> Self {
        Self {
            event: Envelope {
                tenant: row.tenant_id.parse().expect("only valid tenants are written"),
                id: row.event_id,
                source: row.source,
                kind: row.kind,
                subject: row.subject,
                time: row.time.to_jiff(),
                traceparent: row.traceparent,
                causation_id: row.causation_id,
                data: row.data,
                stream: row.stream,
                shard: row.shard,
            },
            reason: row.reason,
            attempts: row.attempts,
            create_time: row.create_time.to_jiff(),
        }
    }
}

/// Lists the bound tenant's dead letters in order of their event ids, from after `after` on.
///
/// # Errors
/// When the database fails.
pub async fn list(tx: &mut PgConnection, after: Option<Uuid>, limit: i64) -> Result<Vec<DeadLetter>, DbError> {
    let rows: Vec<Row> =
        sqlx::query_as("select * from dead_letters where $1::uuid is null or event_id > $1 order by event_id limit $2")
            .bind(after)
            .bind(limit)
            .fetch_all(tx)
            .await?;
    Ok(rows.into_iter().map(DeadLetter::from).collect())
}

/// Finds a dead letter and locks it until the transaction ends.
///
/// # Errors
/// When the database fails.
pub async fn find(tx: &mut PgConnection, tenant: &TenantId, event: Uuid) -> Result<Option<DeadLetter>, DbError> {
    let row: Option<Row> =
        sqlx::query_as("select * from dead_letters where tenant_id = $1 and event_id = $2 for update")
            .bind(tenant.as_str())
            .bind(event)
            .fetch_optional(tx)
            .await?;
    Ok(row.map(DeadLetter::from))
}

/// Applies a dead letter and removes it, in one transaction.
///
/// # Errors
/// The handler's; the transaction must then be rolled back and the new reason written with [`bury`].
pub async fn replay<H: Handler>(
    tx: &mut PgConnection,
    handler: &H,
    letter: &DeadLetter,
) -> Result<H::After, HandlerError> {
    let after = handler.apply(tx, std::slice::from_ref(&letter.event)).await?;
    remove(tx, &letter.event.tenant, letter.event.id).await?;
    Ok(after)
}

/// Removes a dead letter and returns whether it was there.
///
/// # Errors
/// When the database fails.
pub async fn remove(tx: &mut PgConnection, tenant: &TenantId, event: Uuid) -> Result<bool, DbError> {
    let removed = sqlx::query("delete from dead_letters where tenant_id = $1 and event_id = $2")
        .bind(tenant.as_str())
        .bind(event)
        .execute(tx)
        .await?;
    Ok(removed.rows_affected() == 1)
}
