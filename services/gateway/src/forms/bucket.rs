//! Limits how many posts a write key may send.

use std::time::Duration;

use jiff::Timestamp;

/// A token bucket that holds a minute's worth of posts and is filled evenly.
#[derive(Debug)]
pub(super) struct Bucket {
    /// Posts that may be sent now, with what has been filled of the next.
    posts: f64,
    filled: Timestamp,
}

impl Bucket {
    /// Returns a full bucket.
    pub(super) fn new(posts_per_minute: u32, now: Timestamp) -> Self {
        Self {
            posts: f64::from(posts_per_minute),
            filled: now,
        }
    }

    /// Takes a post out of the bucket, or tells how long until there is one.
    pub(super) fn take(&mut self, posts_per_minute: u32, now: Timestamp) -> Result<(), Duration> {
        let per_minute = f64::from(posts_per_minute.max(1));
        // A clock that was set back fills nothing.
        let minutes = (now.duration_since(self.filled).as_secs_f64() / 60.0).max(0.0);
        self.posts = (self.posts + minutes * per_minute).min(per_minute);
        self.filled = now;
        if self.posts < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - self.posts) / per_minute * 60.0));
        }
        self.posts -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn a_minutes_worth_at_once_then_evenly() {
        let mut now: Timestamp = "2026-03-02T09:00:00+08:00".parse().unwrap();
        let mut bucket = Bucket::new(60, now);
        assert!((0..60).all(|_| bucket.take(60, now).is_ok()));
        let wait = bucket.take(60, now).unwrap_err();
        assert_eq!(wait.as_millis(), 1_000);
        now += SignedDuration::from_millis(1_000);
        assert!(bucket.take(60, now).is_ok());
        assert!(bucket.take(60, now).is_err());

        now -= SignedDuration::from_hours(1);
        assert!(bucket.take(60, now).is_err(), "a clock set back fills nothing");
        now += SignedDuration::from_hours(24);
        assert_eq!((0..100).filter(|_| bucket.take(60, now).is_ok()).count(), 60);
    }

    #[test]
    fn a_limit_that_was_lowered_counts_at_once() {
        let now: Timestamp = "2026-03-02T09:00:00+08:00".parse().unwrap();
        let mut bucket = Bucket::new(600, now);
        assert_eq!((0..100).filter(|_| bucket.take(6, now).is_ok()).count(), 6);
    }
}
