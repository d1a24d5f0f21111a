//! The only source of the present time, so that tests can set it and a skewed machine cannot decide.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use jiff::{SignedDuration, Timestamp};

/// Tells the present time.
pub trait Clock: Send + Sync + 'static {
    /// Returns the present time in whole microseconds, which is what PostgreSQL keeps: a time that went through the
    /// database equals the one that was written.
    fn now(&self) -> Timestamp;
}

/// The clock of a process, shared by everything in it.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's time plus an offset that follows the database's time.
#[derive(Debug, Default)]
pub struct SystemClock {
    offset_microseconds: AtomicI64,
}

impl SystemClock {
    /// Returns a clock without offset.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets what is added to the machine's time from now on.
    pub fn set_offset(&self, offset: SignedDuration) {
        self.offset_microseconds
            .store(saturating_microseconds(offset), Ordering::Relaxed);
    }

    /// Returns what is added to the machine's time.
    pub fn offset(&self) -> SignedDuration {
        SignedDuration::from_micros(self.offset_microseconds.load(Ordering::Relaxed))
    }

    /// Returns the machine's own time, for measuring the offset.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that asks the machine for the time"
    )]
    pub fn uncorrected(&self) -> Timestamp {
        Timestamp::now()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let machine = self.uncorrected().as_microsecond();
        at_microsecond(machine.saturating_add(self.offset_microseconds.load(Ordering::Relaxed)))
    }
}

/// A clock that stands still until it is told otherwise.
#[derive(Debug)]
pub struct FixedClock {
    microseconds: AtomicI64,
}

impl FixedClock {
    /// Returns a clock that stands at `time`.
    #[must_use]
    pub fn new(time: Timestamp) -> Self {
        Self {
            microseconds: AtomicI64::new(time.as_microsecond()),
        }
    }

    /// Moves the clock to `time`, which may lie in its past.
    pub fn set(&self, time: Timestamp) {
        self.microseconds.store(time.as_microsecond(), Ordering::SeqCst);
    }

    /// Moves the clock by `step`.
    pub fn advance(&self, step: SignedDuration) {
        self.microseconds
            .fetch_add(saturating_microseconds(step), Ordering::SeqCst);
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        at_microsecond(self.microseconds.load(Ordering::SeqCst))
    }
}

fn saturating_microseconds(duration: SignedDuration) -> i64 {
    let limit = if duration.is_negative() { i64::MIN } else { i64::MAX };
    i64::try_from(duration.as_micros()).unwrap_or(limit)
}

/// Returns the instant, or the nearest one that exists.
fn at_microsecond(microseconds: i64) -> Timestamp {
    let nearest = if microseconds < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    };
    Timestamp::from_microsecond(microseconds).unwrap_or(nearest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_clock_moves_only_when_told() {
        let clock = FixedClock::new("2026-03-02T09:00:00.123456789+08:00".parse().unwrap());
        assert_eq!(
            clock.now().to_string(),
            "2026-03-02T01:00:00.123456Z",
            "cut to microseconds"
        );
        clock.advance(SignedDuration::from_mins(240));
        assert_eq!(clock.now().to_string(), "2026-03-02T05:00:00.123456Z");
        clock.advance(SignedDuration::from_hours(-5));
        assert_eq!(clock.now().to_string(), "2026-03-02T00:00:00.123456Z");
        clock.set(Timestamp::UNIX_EPOCH);
        assert_eq!(clock.now(), Timestamp::UNIX_EPOCH);
    }

    #[test]
    fn the_system_clock_follows_its_offset() {
        let (here, there) = (SystemClock::new(), SystemClock::new());
        there.set_offset(SignedDuration::from_hours(-1));
        assert_eq!(there.offset(), SignedDuration::from_hours(-1));
        let behind = here.now().duration_since(there.now());
        assert!(
            behind >= SignedDuration::from_mins(59) && behind <= SignedDuration::from_mins(61),
            "{behind:?}"
        );
        assert_eq!(here.now().subsec_nanosecond() % 1_000, 0, "whole microseconds");
    }

    #[test]
    fn an_absurd_offset_ends_at_the_last_instant() {
        let clock = SystemClock::new();
        clock.set_offset(SignedDuration::MAX);
        assert_eq!(clock.now(), Timestamp::MAX);
    }
}
