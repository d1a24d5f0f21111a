//! How much a channel may still send: a budget of messages in the provider's sliding minute, part of it kept for
//! escalations.

use jiff::{SignedDuration, Timestamp};

/// How long a message counts after the provider's answer: its window is a minute, and it counted before it answered.
pub const WINDOW: SignedDuration = SignedDuration::from_millis(60_500);
/// How long a reservation counts without an answer: the window, and the longest that may pass before the provider counts.
pub const HOLD: SignedDuration = SignedDuration::from_secs(70);
/// How late a send may begin after its reservation. Later (the process was paused) it has to reserve anew, since with
/// the longest exchange it could otherwise be counted when its reservation is over.
pub const LATEST_START: SignedDuration = SignedDuration::from_secs(4);

/// How far apart escalations are when their own part is all that is left: those of the same moments go together, and nobody
/// waits longer than five seconds.
pub const PACE: SignedDuration = SignedDuration::from_millis(4_500);

/// What a channel may send in a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// In all.
    pub per_minute: i32,
    /// Of these, only for escalations.
    pub reserved: i32,
}

/// Messages that may be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tokens {
    /// Escalations.
    pub escalations: usize,
    /// Assignments; never more than escalations.
    pub assignments: usize,
}

impl Limits {
    /// Returns what is left while `held` reservations count.
    #[must_use]
    pub fn tokens(self, held: i64) -> Tokens {
        let left = |of: i32| usize::try_from(i64::from(of) - held).unwrap_or(0);
        Tokens {
            escalations: left(self.per_minute),
            assignments: left(self.per_minute - self.reserved),
        }
    }
}

impl Limits {
    /// Returns what escalations may use of `tokens` now, and until when they wait for the others of their moments. While more
    /// is left than their own part they do not; and a part that is too small for the pace is used as they come.
    #[must_use]
    pub fn paced(self, tokens: Tokens, last: Option<Timestamp>, now: Timestamp) -> (Tokens, Option<Timestamp>) {
        let own = usize::try_from(self.reserved).unwrap_or(0);
        let lasts_a_minute = PACE * self.reserved >= WINDOW;
        if !lasts_a_minute || tokens.escalations > own {
            return (tokens, None);
        }
        let until = last.map(|last| last + PACE).filter(|until| *until > now);
        let escalations = if until.is_some() { 0 } else { tokens.escalations.min(1) };
        (Tokens { escalations, ..tokens }, until)
    }
}

impl Tokens {
    /// Returns what both leave.
    #[must_use]
    pub fn least(self, other: Self) -> Self {
        Self {
            escalations: self.escalations.min(other.escalations),
            assignments: self.assignments.min(other.assignments),
        }
    }

    /// Returns no more than a single message: what may go to a provider that keeps failing.
    #[must_use]
    pub fn probe(self) -> Self {
        Self {
            escalations: self.escalations.min(1),
            assignments: self.assignments.min(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escalations_keep_their_part() {
        let limits = Limits {
            per_minute: 18,
            reserved: 4,
        };
        for (held, escalations, assignments) in
            [(0, 18, 14), (13, 5, 1), (14, 4, 0), (17, 1, 0), (18, 0, 0), (99, 0, 0)]
        {
            let expected = Tokens {
                escalations,
                assignments,
            };
            assert_eq!(limits.tokens(held), expected, "{held} held");
        }
    }

    /// Escalations all the time, as soon as they may: none waits longer than the pace, and the provider never sees more than
    /// its limit.
    #[test]
    fn a_part_of_fourteen_lasts_for_ever() {
        let limits = Limits {
            per_minute: 20,
            reserved: 14,
        };
        let step = SignedDuration::from_millis(100);
        let mut now = Timestamp::UNIX_EPOCH;
        let mut sent: Vec<Timestamp> = Vec::new();
        for _ in 0..6_000 {
            now += step;
            let held = sent.iter().filter(|sent| **sent + WINDOW > now).count();
            let tokens = limits.tokens(i64::try_from(held).unwrap());
            let (tokens, until) = limits.paced(tokens, sent.last().copied(), now);
            assert_eq!(
                tokens.escalations == 0,
                until.is_some(),
                "only the pace makes them wait"
            );
            if tokens.escalations > 0 {
                sent.push(now);
            }
        }
        let longest = sent.windows(2).map(|pair| pair[1].duration_since(pair[0])).max();
        assert!(longest.unwrap() <= PACE + step, "{longest:?}");
        assert!(sent.len() > 120);
    }

    #[test]
    fn a_part_too_small_for_the_pace_is_used_as_they_come() {
        let limits = Limits {
            per_minute: 20,
            reserved: 13,
        };
        let now = Timestamp::UNIX_EPOCH;
        let tokens = limits.tokens(10);
        assert_eq!(limits.paced(tokens, Some(now), now), (tokens, None));
    }

    #[test]
    fn a_reservation_outlives_the_window_of_the_latest_send() {
        // The clients' own limit for a whole exchange.
        let longest_exchange = SignedDuration::from_secs(5);
        assert!(HOLD >= WINDOW + LATEST_START + longest_exchange);
    }
}
