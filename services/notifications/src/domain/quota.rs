//! How much a tenant may send in a month, beside what a channel may send in a minute: providers bill or limit by months.

use jiff::{Timestamp, tz::TimeZone};

use super::{Problem, budget::Tokens, channel::Kind};

/// Most messages a quota can be about.
const MOST: i32 = 100_000_000;
/// Most people told of a quota's end.
pub const MAX_ADMINISTRATORS: usize = 20;

/// What a quota counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// One channel, "channels/{channel}".
    Channel(String),
    /// All channels of a kind.
    Kind(Kind),
    /// All channels of the tenant.
    Every,
}

/// What may be sent in a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Monthly {
    /// In all.
    pub messages: i32,
    /// Of these, only for escalations.
    pub reserved: i32,
}

/// How much of a quota is used, as far as somebody is told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing to tell.
    Fine,
    /// Four fifths.
    Near,
    /// Everything.
    Used,
}

impl Level {
    /// Returns the per cent it begins at; also its name in the database.
    #[must_use]
    pub const fn percent(self) -> i16 {
        match self {
            Self::Fine => 0,
            Self::Near => 80,
            Self::Used => 100,
        }
    }
}

impl Monthly {
    /// Returns what was asked for, a zero replaced by the tenth it stands for.
    ///
    /// # Errors
    /// When it cannot be.
    pub fn new(messages: i32, reserved: i32) -> Result<Self, Problem> {
        if !(1..=MOST).contains(&messages) {
            return Err(Problem::new("quota.messages_per_month", format!("must be 1 to {MOST}")));
        }
        let reserved = if reserved == 0 { messages / 10 } else { reserved };
        if !(0..messages).contains(&reserved) {
            let description = "must be less than messages_per_month and not negative";
            return Err(Problem::new("quota.reserved_for_escalations", description));
        }
        Ok(Self { messages, reserved })
    }

    /// Returns what may still be sent after `used`.
    #[must_use]
    pub fn tokens(self, used: i64) -> Tokens {
        let left = |of: i32| usize::try_from(i64::from(of) - used).unwrap_or(0);
        Tokens {
            escalations: left(self.messages),
            assignments: left(self.messages - self.reserved),
        }
    }

    /// Returns how far it is used up.
    #[must_use]
    pub fn level(self, used: i64) -> Level {
        let of = i64::from(self.messages);
        if used >= of {
            Level::Used
        } else if used * 5 >= of * 4 {
            Level::Near
        } else {
            Level::Fine
        }
    }
}

/// Returns the month a moment belongs to, for example "2026-11".
#[must_use]
pub fn month(time: Timestamp, zone: &TimeZone) -> String {
    time.to_zoned(zone.clone()).strftime("%Y-%m").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escalations_keep_the_last_part_of_the_month() {
        let monthly = Monthly::new(100, 0).unwrap();
        assert_eq!(monthly.reserved, 10);
        for (used, escalations, assignments, level) in [
            (0, 100, 90, Level::Fine),
            (79, 21, 11, Level::Fine),
            (80, 20, 10, Level::Near),
            (90, 10, 0, Level::Near),
            (99, 1, 0, Level::Near),
            (100, 0, 0, Level::Used),
            (120, 0, 0, Level::Used),
        ] {
            let tokens = Tokens {
                escalations,
                assignments,
            };
            assert_eq!((monthly.tokens(used), monthly.level(used)), (tokens, level), "{used}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (messages, reserved) in [(0, 0), (-1, 0), (MOST + 1, 0), (10, 10), (10, -1)] {
            assert!(Monthly::new(messages, reserved).is_err(), "{messages} {reserved}");
        }
        assert_eq!(Monthly::new(1, 0).unwrap().reserved, 0);
    }

    #[test]
    fn months_begin_where_people_are() {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        for (time, expected) in [("2026-10-31T15:59:59Z", "2026-10"), ("2026-10-31T16:00:00Z", "2026-11")] {
            assert_eq!(month(time.parse().unwrap(), &zone), expected);
        }
    }
}
