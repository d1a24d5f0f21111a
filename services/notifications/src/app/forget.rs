//! Forgets what is old, a portion at a time.

use std::time::Duration;

use jiff::SignedDuration;
use reflex_pg::{
    Database, DbError,
    lease::{Hold, ShardWorker},
    requests,
};
use reflex_runtime::clock::SharedClock;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::store::retention;

/// How often to look for what is old.
const INTERVAL: Duration = Duration::from_mins(10);
/// Messages deleted by one statement.
const PORTION: i64 = 5_000;
/// Days an event waits for an endpoint that does not answer, before it is given up.
pub const WAIT_DAYS: u16 = 4;

/// How many days things are kept.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// Inbox items.
    pub inbox_days: u16,
    /// Messages with their attempts.
    pub message_days: u16,
    /// Events that subscriptions listen to, and what became of their deliveries.
    pub event_days: u16,
    /// Answers of requests and ids of applied events.
    pub repeat_days: u16,
}

/// Forgets, on one replica at a time.
pub struct Janitor {
    /// What forgets.
    pub database: Database,
    /// Tells when.
    pub clock: SharedClock,
    /// What is old.
    pub retention: Retention,
}

impl Janitor {
    /// Deletes everything that is old, and returns how many rows that were.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget(&self) -> Result<u64, DbError> {
        let worker = &self.database.worker;
        let before = |days: u16| self.clock.now() - SignedDuration::from_hours(24 * i64::from(days));
        let mut rows = retention::delete_inbox_items(worker, before(self.retention.inbox_days)).await?;
        loop {
            let messages = retention::delete_messages(worker, before(self.retention.message_days), PORTION).await?;
            rows += messages;
            if messages < PORTION.unsigned_abs() {
                break;
            }
        }
        rows += retention::expire_deliveries(worker, before(WAIT_DAYS)).await?;
        rows += retention::delete_deliveries(worker, before(self.retention.event_days)).await?;
        rows += retention::delete_event_ids(worker, before(self.retention.repeat_days)).await?;
        rows += requests::forget_older_than(worker, self.retention.repeat_days.into()).await?;
        Ok(rows)
    }
}

impl ShardWorker for Janitor {
    async fn work(&self, _hold: Hold, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match self.forget().await {
                Ok(0) => {}
                Ok(rows) => info!(rows, "old rows are forgotten"),
                Err(error) => warn!(%error, "old rows could not be forgotten, will try again"),
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(INTERVAL) => {}
            }
        }
    }
}
