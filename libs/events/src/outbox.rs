//! Facts written in the transaction of the change they tell of.

use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx};
use reflex_pg::DbError;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{NewEvent, STREAM_SHARDS, envelope::shard_of};

/// Writes facts to the outbox, in order; one statement for all of them. Wake the relay after the commit.
///
/// # Errors
/// When the database fails, or a fact's tenant is not bound to the transaction.
pub async fn push(tx: &mut PgConnection, events: &[NewEvent]) -> Result<(), DbError> {
    if events.is_empty() {
        return Ok(());
    }
    let tenants: Vec<&str> = events.iter().map(|event| event.tenant.as_str()).collect();
    let ids: Vec<Uuid> = events.iter().map(|event| event.id).collect();
    let shards: Vec<i16> = events
        .iter()
        .map(|event| shard_of(&event.tenant, &event.subject, STREAM_SHARDS))
        .collect();
    let kinds: Vec<&str> = events.iter().map(|event| event.kind).collect();
    let subjects: Vec<&str> = events.iter().map(|event| event.subject.as_str()).collect();
    let times: Vec<SqlTimestamp> = events.iter().map(|event| event.time.to_sqlx()).collect();
    let traceparents: Vec<Option<&str>> = events.iter().map(|event| event.traceparent.as_deref()).collect();
    let causations: Vec<Option<Uuid>> = events.iter().map(|event| event.causation_id).collect();
    let data: Vec<&[u8]> = events.iter().map(|event| event.data.as_slice()).collect();
    sqlx::query(
        "with written as (
             insert into outbox (tenant_id, event_id, shard, kind, subject, time, traceparent, causation_id, data)
             select * from unnest($1::text[], $2::uuid[], $3::smallint[], $4::text[], $5::text[], $6::timestamptz[],
                 $7::text[], $8::uuid[], $9::bytea[])
             returning id, tenant_id
         )
         insert into outbox_pending (id, tenant_id) select id, tenant_id from written",
    )
    .bind(tenants)
    .bind(ids)
    .bind(shards)
    .bind(kinds)
    .bind(subjects)
    .bind(times)
    .bind(traceparents)
    .bind(causations)
    .bind(data)
    .execute(tx)
    .await?;
    Ok(())
}
