//! Keeps the planner's picture of young tables true, until they are so large that autovacuum's pace is enough.

use std::time::Duration;

use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::lease::{Hold, ShardWorker};

/// How often tables are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Counts the rows of tables that have doubled.
#[derive(Debug)]
pub struct Statistics {
    worker: PgPool,
}

impl Statistics {
    /// Makes the keeper; it works as the worker role.
    #[must_use]
    pub fn new(worker: PgPool) -> Self {
        Self { worker }
    }
}

impl ShardWorker for Statistics {
    async fn work(&self, hold: Hold, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let refreshed: Result<i32, sqlx::Error> = sqlx::query_scalar("select refresh_statistics()")
                .fetch_one(&self.worker)
                .await;
            match refreshed {
                Ok(0) => {}
                Ok(tables) => debug!(shard = hold.shard(), tables, "statistics refreshed"),
                Err(error) => warn!(%error, "statistics could not be refreshed, will go on"),
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }
}
