//! The bare relay: takes facts out of the table, adds them to one stream, commits.

use redis::aio::MultiplexedConnection;
use sqlx::{Connection, FromRow, PgConnection};
use uuid::Uuid;

/// Most facts a batch.
const BATCH: i64 = 500;

#[derive(FromRow)]
struct Row {
    tenant_id: String,
    event_id: Uuid,
    kind: String,
    subject: String,
    microseconds: i64,
    data: Vec<u8>,
}

/// Publishes one batch and returns how many facts it had.
pub(in crate::bench) async fn publish(
    connection: &mut PgConnection,
    redis: &mut MultiplexedConnection,
    stream: &str,
) -> anyhow::Result<usize> {
    let mut tx = connection.begin().await?;
    let rows: Vec<Row> = sqlx::query_as(
        "delete from outbox where id = any (array(select id from outbox order by id limit $1 for update skip locked))
         returning tenant_id, event_id, kind, subject, (extract(epoch from time) * 1000000)::bigint as microseconds, data",
    )
    .bind(BATCH)
    .fetch_all(&mut *tx)
    .await?;
    if !rows.is_empty() {
        let mut pipeline = redis::pipe();
        for row in &rows {
            pipeline
                .cmd("XADD")
                .arg(stream)
                .arg("*")
                .arg(&["id", &row.event_id.to_string()])
                .arg(&["type", &row.kind])
                .arg(&["tenant", &row.tenant_id])
                .arg(&["subject", &row.subject])
                .arg("time")
                .arg(row.microseconds)
                .arg("data")
                .arg(&row.data)
                .ignore();
        }
        pipeline.query_async::<()>(redis).await?;
    }
    tx.commit().await?;
    Ok(rows.len())
}
