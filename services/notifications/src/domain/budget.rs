//! How much a channel may still send: a budget of messages in the provider's sliding minute, part of it kept for
//! escalations.

use jiff::SignedDuration;

/// How long a message counts after the provider's answer: its window is a minute, and it counted before it answered.
pub const WINDOW: SignedDuration = SignedDuration::from_millis(60_500);
/// How long a reservation counts without an answer: the window, and the longest that may pass before the provider counts.
pub const HOLD: SignedDuration = SignedDuration::from_secs(70);
/// How late a send may begin after its reservation. Later (the process was paused) it has to reserve anew, since with
/// the longest exchange it could otherwise be counted when its reservation is over.
pub const LATEST_START: SignedDuration = SignedDuration::from_secs(4);

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

impl Tokens {
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

    #[test]
    fn a_reservation_outlives_the_window_of_the_latest_send() {
        // The clients' own limit for a whole exchange.
        let longest_exchange = SignedDuration::from_secs(5);
        assert!(HOLD >= WINDOW + LATEST_START + longest_exchange);
    }
}
