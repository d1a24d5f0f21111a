//! Fires what is due, also what became due while nobody was running.

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx};
use opentelemetry::{
    KeyValue,
    metrics::{Counter, Histogram},
};
use reflex_pg::{
    Database, DbError,
    lease::{Hold, ShardWorker},
};
use reflex_runtime::{clock::SharedClock, telemetry};
use reflex_tenancy::{TenantId, TenantSet};
use serde_json::Value;
use sqlx::{FromRow, PgConnection};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::Timer;

/// Most timers a transaction.
const BATCH: i64 = 200;
/// How often the loop looks for what is due.
const POLL: Duration = Duration::from_millis(100);
/// The first wait after a failed effect; doubles with each try.
const FIRST_RETRY: SignedDuration = SignedDuration::from_secs(1);
/// The longest wait after a failed effect.
const LONGEST_RETRY: SignedDuration = SignedDuration::from_mins(10);

/// What a service does when its timers are due.
pub trait Fire: Send + Sync + 'static {
    /// What can go wrong; must be free of personal data.
    type Error: std::error::Error + From<DbError> + Send;

    /// Carries out the effects of due timers in the transaction that deletes them, earliest first, then by key.
    fn fire(&self, tx: &mut PgConnection, timers: &[Timer]) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Called after the effects are committed.
    fn fired(&self) {}
}

/// Makes the loop look at once, for example after a test moved its clock; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct TimerWake(Arc<Notify>);

impl TimerWake {
    /// Makes the loop look now.
    pub fn wake(&self) {
        self.0.notify_waiters();
    }
}

/// Fires the timers of a shard.
pub struct TimerLoop<F> {
    database: Database,
    clock: SharedClock,
    fire: F,
    wake: TimerWake,
    lag: Histogram<f64>,
    outcomes: Counter<u64>,
}

#[derive(FromRow)]
struct Row {
    tenant_id: String,
    kind: String,
    key: String,
    due_time: SqlTimestamp,
    payload: Value,
    traceparent: Option<String>,
}

#[derive(FromRow)]
struct DueKey {
    tenant_id: String,
    kind: String,
    key: String,
}

impl<F: Fire> TimerLoop<F> {
    /// Makes the loop.
    pub fn new(database: Database, clock: SharedClock, fire: F, wake: TimerWake) -> Self {
        let lag = telemetry::meter().f64_histogram("timer.lag").with_unit("s").build();
        let outcomes = telemetry::meter().u64_counter("timer.fired").build();
        Self {
            database,
            clock,
            fire,
            wake,
            lag,
            outcomes,
        }
    }

    /// Fires up to a batch of due timers and returns how many were due.
    async fn fire_due(&self, hold: &Hold) -> Result<usize, DbError> {
        let due: Vec<DueKey> = sqlx::query_as(
            "select tenant_id, kind, key from timers where shard = $1 and due_time <= $2 order by due_time, key
             limit $3",
        )
        .bind(hold.index())
        .bind(self.clock.now().to_sqlx())
        .bind(BATCH)
        .fetch_all(&self.database.worker)
        .await?;
        if due.is_empty() {
            return Ok(0);
        }
        if let Err(error) = self.fire_batch(hold, &due).await {
            if due.len() == 1 {
                self.put_off(hold, &due[0], &error.to_string()).await?;
            } else {
                warn!(%error, timers = due.len(), "a batch of timers failed, they are fired one by one");
                for key in &due {
                    if let Err(error) = self.fire_batch(hold, std::slice::from_ref(key)).await {
                        self.put_off(hold, key, &error.to_string()).await?;
                    }
                }
            }
        }
        self.fire.fired();
        Ok(due.len())
    }

    async fn fire_batch(&self, hold: &Hold, due: &[DueKey]) -> Result<(), F::Error> {
        let tenants: TenantSet = due.iter().map(|key| tenant(&key.tenant_id)).collect();
        let mut tx = self.database.begin_held("fire_timers", &tenants, &[hold]).await?;
        let now = self.clock.now();
        // Cancelled or put off in the meantime: not found here, and so not fired.
        let mut rows: Vec<Row> = sqlx::query_as(
            "delete from timers t
             using unnest($1::text[], $2::text[], $3::text[]) as due (tenant_id, kind, key)
             where t.tenant_id = due.tenant_id and t.kind = due.kind and t.key = due.key and t.due_time <= $4
             returning t.tenant_id, t.kind, t.key, t.due_time, t.payload, t.traceparent",
        )
        .bind(due.iter().map(|key| key.tenant_id.as_str()).collect::<Vec<_>>())
        .bind(due.iter().map(|key| key.kind.as_str()).collect::<Vec<_>>())
        .bind(due.iter().map(|key| key.key.as_str()).collect::<Vec<_>>())
        .bind(now.to_sqlx())
        .fetch_all(&mut *tx)
        .await
        .map_err(DbError::from)?;
        rows.sort_by(|a, b| (a.due_time.to_jiff(), &a.key).cmp(&(b.due_time.to_jiff(), &b.key)));
        let timers: Vec<Timer> = rows.into_iter().map(Timer::from).collect();
        if !timers.is_empty() {
            self.fire.fire(&mut tx, &timers).await?;
        }
        tx.commit().await?;
        for timer in &timers {
            let lag = now.duration_since(timer.due_time).as_secs_f64().max(0.0);
            let kind = [KeyValue::new("timer.kind", timer.kind.clone())];
            self.lag.record(lag, &kind);
            self.outcomes.add(1, &kind);
        }
        Ok(())
    }

    /// Tries a failed timer again later; it is never dropped.
    async fn put_off(&self, hold: &Hold, key: &DueKey, reason: &str) -> Result<(), DbError> {
        warn!(kind = key.kind, key = key.key, reason, "a timer failed and is put off");
        let tenants = TenantSet::one(&tenant(&key.tenant_id));
        let mut tx = self.database.begin_held("put_off_timer", &tenants, &[hold]).await?;
        sqlx::query(
            "update timers set attempts = attempts + 1, last_error = $5, due_time = $4 +
                 least($6 * power(2, least(attempts, 20)), $7) * interval '1 second'
             where tenant_id = $1 and kind = $2 and key = $3",
        )
        .bind(&key.tenant_id)
        .bind(&key.kind)
        .bind(&key.key)
        .bind(self.clock.now().to_sqlx())
        .bind(reason)
        .bind(FIRST_RETRY.as_secs_f64())
        .bind(LONGEST_RETRY.as_secs_f64())
        .execute(&mut *tx)
        .await?;
        tx.commit().await
    }
}

impl<F: Fire> ShardWorker for TimerLoop<F> {
    async fn work(&self, hold: Hold, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match self.fire_due(&hold).await {
                Ok(due) if due as u64 >= BATCH.unsigned_abs() => continue,
                Ok(_) => {}
                Err(DbError::LeaseLost) => {
                    info!(shard = hold.shard(), "another replica fires now");
                    return;
                }
                Err(error) => warn!(shard = hold.shard(), %error, "firing failed, will go on"),
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.wake.0.notified() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }
}

impl From<Row> for Timer {
    fn from(row: Row) -> Self {
        Self {
            tenant: tenant(&row.tenant_id),
            kind: row.kind,
            key: row.key,
            due_time: row.due_time.to_jiff(),
            payload: row.payload,
            traceparent: row.traceparent,
        }
    }
}

fn tenant(text: &str) -> TenantId {
    text.parse().expect("only valid tenants are written")
}
