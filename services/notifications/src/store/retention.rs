//! Forgetting what is old; run by the worker role, in portions.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use reflex_pg::DbError;
use sqlx::PgPool;

/// Deletes inbox items from before `before` and returns how many there were.
///
/// # Errors
/// When the database fails.
pub async fn delete_inbox_items(worker: &PgPool, before: Timestamp) -> Result<u64, DbError> {
    let deleted = sqlx::query("delete from inbox_items where create_time < $1")
        .bind(before.to_sqlx())
        .execute(worker)
        .await?;
    Ok(deleted.rows_affected())
}

/// Deletes messages from before `before`, with their attempts, unless they still wait; returns how many there were.
///
/// # Errors
/// When the database fails.
pub async fn delete_messages(worker: &PgPool, before: Timestamp, limit: i64) -> Result<u64, DbError> {
    let deleted = sqlx::query(
        "delete from messages m using (
             select tenant_id, message from messages where create_time < $1 and state <> 'pending' limit $2
         ) as old where m.tenant_id = old.tenant_id and m.message = old.message",
    )
    .bind(before.to_sqlx())
    .bind(limit)
    .execute(worker)
    .await?;
    Ok(deleted.rows_affected())
}

/// Forgets the ids of events that were applied before `before`: no stream and no outbox brings them back.
///
/// # Errors
/// When the database fails.
pub async fn delete_event_ids(worker: &PgPool, before: Timestamp) -> Result<u64, DbError> {
    let deleted = sqlx::query("delete from inbox where create_time < $1")
        .bind(before.to_sqlx())
        .execute(worker)
        .await?;
    Ok(deleted.rows_affected())
}

/// Gives up what waits for endpoints since before `before`, but not for those that somebody paused; returns how many there were.
///
/// # Errors
/// When the database fails.
pub async fn expire_deliveries(worker: &PgPool, before: Timestamp) -> Result<u64, DbError> {
    let expired = sqlx::query(
        "update deliveries d set state = 'failed', reason = 'the endpoint could not be reached for days'
         from subscriptions s
         where s.tenant_id = d.tenant_id and s.subscription = d.subscription and s.state <> 'paused'
             and d.state = 'pending' and d.create_time < $1",
    )
    .bind(before.to_sqlx())
    .execute(worker)
    .await?;
    Ok(expired.rows_affected())
}

/// Deletes events that subscriptions listened to from before `before`, their deliveries and attempts; returns how many rows that
/// were.
///
/// # Errors
/// When the database fails.
pub async fn delete_deliveries(worker: &PgPool, before: Timestamp) -> Result<u64, DbError> {
    let mut rows = 0;
    for statement in [
        "delete from delivery_attempts where create_time < $1",
        "delete from deliveries where create_time < $1",
        "delete from subscription_events where create_time < $1",
    ] {
        rows += sqlx::query(statement)
            .bind(before.to_sqlx())
            .execute(worker)
            .await?
            .rows_affected();
    }
    Ok(rows)
}
