//! A sliding window with a lock behind it, as chat providers limit their robots.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// What a limiter says to one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    Admitted,
    /// This message was one too many: the lock begins.
    LockBegins,
    Locked,
}

/// The limit of one robot.
pub(super) struct Limiter {
    messages: usize,
    per: SignedDuration,
    lock: SignedDuration,
    admitted: VecDeque<Timestamp>,
    locked_until: Option<Timestamp>,
}

impl Limiter {
    pub(super) fn new(messages: usize, per: Duration, lock: Duration) -> Self {
        Self {
            messages,
            per: SignedDuration::try_from(per).expect("a window is shorter than an age of the universe"),
            lock: SignedDuration::try_from(lock).expect("a lock is shorter than an age of the universe"),
            admitted: VecDeque::new(),
            locked_until: None,
        }
    }

    /// Tells whether the lock holds. Refusals do not prolong it, and a lock that is over leaves an empty window.
    pub(super) fn is_locked(&mut self, now: Timestamp) -> bool {
        match self.locked_until {
            Some(until) if now < until => true,
            Some(_) => {
                self.locked_until = None;
                self.admitted.clear();
                false
            }
            None => false,
        }
    }

    /// Counts a message in, or begins the lock.
    pub(super) fn admit(&mut self, now: Timestamp) -> Admission {
        if self.is_locked(now) {
            return Admission::Locked;
        }
        while self
            .admitted
            .front()
            .is_some_and(|first| now.duration_since(*first) >= self.per)
        {
            self.admitted.pop_front();
        }
        if self.admitted.len() < self.messages {
            self.admitted.push_back(now);
            return Admission::Admitted;
        }
        self.locked_until = Some(now + self.lock);
        Admission::LockBegins
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    #[test]
    fn the_window_slides_instead_of_starting_over() {
        let mut limiter = Limiter::new(2, Duration::from_mins(1), Duration::from_mins(10));
        assert_eq!(limiter.admit(at(0)), Admission::Admitted);
        assert_eq!(limiter.admit(at(50)), Admission::Admitted);
        assert_eq!(
            limiter.admit(at(60)),
            Admission::Admitted,
            "the first has left the window"
        );
        assert_eq!(
            limiter.admit(at(61)),
            Admission::LockBegins,
            "50 and 60 are still in it"
        );
    }

    #[test]
    fn the_lock_holds_its_time_whatever_is_sent_meanwhile() {
        let mut limiter = Limiter::new(1, Duration::from_mins(1), Duration::from_mins(10));
        limiter.admit(at(0));
        assert_eq!(limiter.admit(at(1)), Admission::LockBegins);
        assert_eq!(limiter.admit(at(300)), Admission::Locked);
        assert_eq!(limiter.admit(at(600)), Admission::Locked);
        assert_eq!(limiter.admit(at(601)), Admission::Admitted);
        assert_eq!(limiter.admit(at(602)), Admission::LockBegins);
    }
}
