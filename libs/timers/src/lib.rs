//! Durable timers: rows written with the state they belong to, fired once, in the transaction of their effect.
//!
//! Belongs here: setting, cancelling and firing. Does not: what a timer means.

mod timer_loop;

use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx};
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use serde_json::Value;
use sqlx::PgConnection;

pub use timer_loop::{Fire, TimerLoop, TimerWake};

/// Shards of a service's timers; each is worked by one replica.
pub const TIMER_SHARDS: i16 = 2;

/// Schema of timers.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// A timer, as set and as fired.
#[derive(Debug, Clone, PartialEq)]
pub struct Timer {
    /// Whose it is.
    pub tenant: TenantId,
    /// What happens, for example `ladder_step`.
    pub kind: String,
    /// What it is about; one timer a kind and key.
    pub key: String,
    /// When.
    pub due_time: Timestamp,
    /// What the effect needs to know.
    pub payload: Value,
    /// Trace it belongs to.
    pub traceparent: Option<String>,
}

/// Sets timers; one of the same kind and key is replaced.
///
/// # Errors
/// When the database fails.
pub async fn set(tx: &mut PgConnection, timers: &[Timer]) -> Result<(), DbError> {
    if timers.is_empty() {
        return Ok(());
    }
    let tenants: Vec<&str> = timers.iter().map(|timer| timer.tenant.as_str()).collect();
    let kinds: Vec<&str> = timers.iter().map(|timer| timer.kind.as_str()).collect();
    let keys: Vec<&str> = timers.iter().map(|timer| timer.key.as_str()).collect();
    let shards: Vec<i16> = timers.iter().map(|timer| shard_of(&timer.key)).collect();
    let due_times: Vec<SqlTimestamp> = timers.iter().map(|timer| timer.due_time.to_sqlx()).collect();
    let payloads: Vec<&Value> = timers.iter().map(|timer| &timer.payload).collect();
    let traceparents: Vec<Option<&str>> = timers.iter().map(|timer| timer.traceparent.as_deref()).collect();
    sqlx::query(
        "insert into timers (tenant_id, kind, key, shard, due_time, payload, traceparent)
         select * from unnest($1::text[], $2::text[], $3::text[], $4::smallint[], $5::timestamptz[], $6::jsonb[],
             $7::text[])
         on conflict (tenant_id, kind, key) do update
             set due_time = excluded.due_time, payload = excluded.payload, traceparent = excluded.traceparent,
                 attempts = 0, last_error = null",
    )
    .bind(tenants)
    .bind(kinds)
    .bind(keys)
    .bind(shards)
    .bind(due_times)
    .bind(payloads)
    .bind(traceparents)
    .execute(tx)
    .await?;
    Ok(())
}

/// Cancels the timers of a kind whose keys start with `key_prefix`, and returns how many there were.
///
/// # Errors
/// When the database fails.
pub async fn cancel(tx: &mut PgConnection, tenant: &TenantId, kind: &str, key_prefix: &str) -> Result<u64, DbError> {
    let cancelled = sqlx::query(
        "delete from timers where tenant_id = $1 and kind = $2 and starts_with(key, $3)
                                 and key >= $3 and key < $3 || chr(1114111)",
    )
    .bind(tenant.as_str())
    .bind(kind)
    .bind(key_prefix)
    .execute(tx)
    .await?;
    Ok(cancelled.rows_affected())
}

/// Spreads timers over shards by what they are about, the first two parts of the key: what is due about one lead fires in
/// order, also when all of it is late.
fn shard_of(key: &str) -> i16 {
    let subject = key.match_indices('/').nth(1).map_or(key, |(end, _)| &key[..end]);
    let sum = subject
        .bytes()
        .fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    let shards = u32::from(TIMER_SHARDS.unsigned_abs());
    i16::try_from(sum % shards).expect("the remainder is below the count of shards")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_about_one_subject_shares_a_shard() {
        let shard = shard_of("leads/0192/1");
        assert!((2..9).all(|step| shard_of(&format!("leads/0192/{step}")) == shard));
        let shards: std::collections::HashSet<i16> =
            (0..50).map(|leave| shard_of(&format!("leaves/{leave}"))).collect();
        assert_eq!(shards.len(), 2, "subjects are spread");
    }
}
