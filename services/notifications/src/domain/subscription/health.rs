//! How an endpoint does: after some failures in a row it gets single probes, further and further apart, until one is taken.

use jiff::{SignedDuration, Timestamp};

use super::retry::{LONGEST, jittered};

/// Failures in a row from which on an endpoint gets single probes.
pub const BREAKER_FAILURES: i32 = 5;

const FIRST_PROBE: SignedDuration = SignedDuration::from_secs(10);
const LAST_PROBE: SignedDuration = SignedDuration::from_mins(5);

/// How an endpoint does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Health {
    /// Failed attempts in a row.
    pub failures: i32,
    /// No attempt is made before.
    pub probe_time: Option<Timestamp>,
}

impl Health {
    /// Returns whether only single probes go out.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.failures >= BREAKER_FAILURES
    }

    /// Returns whether nothing goes out now.
    #[must_use]
    pub fn rests(&self, now: Timestamp) -> bool {
        self.probe_time.is_some_and(|until| until > now)
    }

    /// Counts an attempt that was taken, and returns whether the endpoint is back after it had been given single probes.
    pub fn succeed(&mut self, now: Timestamp) -> bool {
        let was_open = self.is_open();
        self.failures = 0;
        // What the endpoint itself asked for is kept while others of its attempts come back.
        if was_open || !self.rests(now) {
            self.probe_time = None;
        }
        was_open
    }

    /// Counts an attempt that failed. Attempts that were under way together with the one that made it rest count once.
    pub fn fail(&mut self, now: Timestamp, spread: u64, asked: Option<SignedDuration>) {
        if let Some(asked) = asked {
            let until = now + asked.min(LONGEST);
            self.probe_time = Some(self.probe_time.map_or(until, |present| present.max(until)));
        }
        if self.is_open() && self.rests(now) {
            return;
        }
        self.failures = self.failures.saturating_add(1);
        if self.is_open() {
            let doublings = u32::try_from(self.failures - BREAKER_FAILURES).unwrap_or(0).min(10);
            let wait = (FIRST_PROBE * 2_i32.pow(doublings)).min(LAST_PROBE);
            let until = now + jittered(wait, spread);
            self.probe_time = Some(self.probe_time.map_or(until, |present| present.max(until)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_771_200_000 + seconds).unwrap()
    }

    #[test]
    fn probes_move_apart_until_one_is_taken() {
        let mut health = Health::default();
        for _ in 1..BREAKER_FAILURES {
            health.fail(at(0), 20, None);
            assert!(!health.is_open() && !health.rests(at(0)));
        }
        health.fail(at(0), 20, None);
        assert!(health.is_open());
        assert_eq!(health.probe_time, Some(at(10)));
        // What was under way fails, too.
        for _ in 0..20 {
            health.fail(at(1), 20, None);
        }
        assert_eq!((health.failures, health.probe_time), (5, Some(at(10))));
        let mut now = 10;
        let mut waits = Vec::new();
        for _ in 0..7 {
            assert!(!health.rests(at(now)));
            health.fail(at(now), 20, None);
            let next = health.probe_time.unwrap().as_second() - at(0).as_second();
            waits.push(next - now);
            now = next;
        }
        assert_eq!(waits, [20, 40, 80, 160, 300, 300, 300]);
        assert!(health.succeed(at(now)));
        assert_eq!(health, Health::default());
        assert!(!health.succeed(at(now)));
    }

    #[test]
    fn a_wait_that_was_asked_for_is_kept() {
        let mut health = Health::default();
        health.fail(at(0), 20, Some(SignedDuration::from_secs(90)));
        assert!(health.rests(at(89)) && !health.rests(at(90)) && !health.is_open());
        assert!(!health.succeed(at(5)));
        assert!(health.rests(at(89)), "the endpoint wants no more for now");
        health.succeed(at(90));
        assert_eq!(health, Health::default());
        health.fail(at(0), 20, Some(SignedDuration::from_hours(99)));
        assert_eq!(health.probe_time, Some(at(12 * 3_600)));
    }
}
