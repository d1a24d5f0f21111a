//! Keeps the system clock in step with the database's time.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::Timestamp as SqlTimestamp;
use reflex_runtime::{
    clock::{Clock, SystemClock},
    telemetry,
};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::DbError;

/// Skew worth a warning.
const ALARM: SignedDuration = SignedDuration::from_secs(1);
/// Smaller differences are the noise of a round trip.
const NOISE: SignedDuration = SignedDuration::from_millis(20);

/// Measures how far the system's clock is from the database's, again and again, and corrects [`SystemClock`].
#[derive(Debug)]
pub struct ClockFollower {
    pool: PgPool,
    clock: Arc<SystemClock>,
}

impl ClockFollower {
    /// Follows the time of `pool`'s database.
    #[must_use]
    pub fn new(pool: PgPool, clock: Arc<SystemClock>) -> Self {
        Self { pool, clock }
    }

    /// Runs until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let skew_gauge = telemetry::meter().f64_gauge("clock.skew").with_unit("s").build();
        while !stop.is_cancelled() {
            match self.measure().await {
                Ok(skew) => {
                    skew_gauge.record(skew.as_secs_f64(), &[]);
                    if skew.abs() > ALARM {
                        warn!(
                            skew_seconds = skew.as_secs_f64(),
                            "the system's clock differs from the database's"
                        );
                    }
                }
                Err(error) => debug!(%error, "the database's time could not be read"),
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(Duration::from_secs(5)) => {}
            }
        }
    }

    /// Measures once, corrects the clock, and returns the skew of the system's clock.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn measure(&self) -> Result<SignedDuration, DbError> {
        let system_now = || self.clock.now() - self.clock.offset();
        let before: Timestamp = system_now();
        let database: SqlTimestamp = sqlx::query_scalar("select clock_timestamp()")
            .fetch_one(&self.pool)
            .await?;
        let round_trip = system_now().duration_since(before);
        let skew = Timestamp::from(database).duration_since(before) - round_trip / 2;
        if (skew - self.clock.offset()).abs() > NOISE {
            self.clock
                .set_offset(if skew.abs() > NOISE { skew } else { SignedDuration::ZERO });
        }
        Ok(skew)
    }
}
