//! Lets work gather while there is much of it.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Keeps the rounds of a loop apart: under load a round then finds more to do, and each piece costs less. After a quiet
/// time two rounds may start at once, as one thing often leads to another.
#[derive(Debug)]
pub struct Pace {
    gap: Duration,
    /// When the next round would start if all rounds were spread evenly.
    even: Option<Instant>,
}

impl Pace {
    /// Makes a pace of one round in `gap` on average.
    #[must_use]
    pub fn new(gap: Duration) -> Self {
        Self { gap, even: None }
    }

    /// Waits until the next round may start.
    pub async fn next(&mut self) {
        let wait = self.plan(Instant::now());
        if !wait.is_zero() {
            sleep(wait).await;
        }
    }

    /// Plans a round that is wanted `now`, and returns how long it has to wait.
    fn plan(&mut self, now: Instant) -> Duration {
        let even = self.even.map_or(now, |even| even.max(now));
        self.even = Some(even + self.gap);
        (even - now).saturating_sub(self.gap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_are_spread_but_two_may_follow_a_quiet_time() {
        let mut pace = Pace::new(Duration::from_millis(5));
        let start = Instant::now();
        for (wanted, waits) in [(0, 0), (0, 0), (0, 5), (5, 5), (10, 5), (50, 0), (50, 0), (51, 4)] {
            let wait = pace.plan(start + Duration::from_millis(wanted));
            assert_eq!(wait, Duration::from_millis(waits), "wanted at {wanted} ms");
        }
    }
}
