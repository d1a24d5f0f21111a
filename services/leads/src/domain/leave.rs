//! Times somebody is away.

use std::collections::HashMap;

use jiff::Timestamp;

use super::ids::{LeaveId, MemberId};
use super::violation::{Violation, Violations};

/// A time somebody is away, from its start up to, not including, its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leave {
    /// Given by the service.
    pub id: LeaveId,
    /// Who is away.
    pub member: MemberId,
    /// From when.
    pub start: Timestamp,
    /// Until when.
    pub end: Timestamp,
    /// Why.
    pub reason: String,
}

/// The leaves of a tenant by member.
#[derive(Debug, Clone, Default)]
pub struct Leaves(HashMap<MemberId, Vec<(Timestamp, Timestamp)>>);

impl Leaves {
    /// Indexes leaves.
    #[must_use]
    pub fn new(leaves: impl IntoIterator<Item = Leave>) -> Self {
        let mut by_member: HashMap<_, Vec<_>> = HashMap::new();
        for leave in leaves {
            by_member
                .entry(leave.member)
                .or_default()
                .push((leave.start, leave.end));
        }
        for times in by_member.values_mut() {
            times.sort_unstable();
        }
        Self(by_member)
    }

    /// Returns until when a member is away, if they are away at `now`; leaves that follow without a gap count as one.
    #[must_use]
    pub fn away_until(&self, member: &MemberId, now: Timestamp) -> Option<Timestamp> {
        let mut until = None;
        for &(start, end) in self.of(member) {
            if start <= until.unwrap_or(now) && end > until.unwrap_or(now) {
                until = Some(end);
            }
        }
        until
    }

    /// Returns a member's leaves by start, as a working calendar takes them.
    #[must_use]
    pub fn of(&self, member: &MemberId) -> &[(Timestamp, Timestamp)] {
        self.0.get(member).map_or(&[], Vec::as_slice)
    }
}

/// A leave as sent, not checked; its id is found or made elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RawLeave {
    /// `members/{member}`.
    pub member: String,
    /// From when.
    pub start: Option<Timestamp>,
    /// Until when.
    pub end: Option<Timestamp>,
    /// Why.
    pub reason: String,
}

impl Leave {
    /// Checks a leave and gives it an id. Fields of the violations start with `leave.`.
    ///
    /// # Errors
    /// Returns everything that is wrong with it.
    pub fn parse(id: LeaveId, raw: &RawLeave) -> Result<Self, Vec<Violation>> {
        let mut violations = Violations::default();
        let member = violations.name("leave.member", &raw.member);
        let reason = violations.line("leave.reason", &raw.reason, 0..=200);
        if raw.start.is_none() {
            violations.add("leave.start_time", "must be given");
        }
        match (raw.start, raw.end) {
            (_, None) => violations.add("leave.end_time", "must be given"),
            (Some(start), Some(end)) if end <= start => violations.add("leave.end_time", "must be after start_time"),
            _ => {}
        }
        let (Some(member), Some(start), Some(end), true) = (member, raw.start, raw.end, violations.is_empty()) else {
            return Err(violations.into_vec());
        };
        Ok(Self {
            id,
            member,
            start,
            end,
            reason,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(hour * 3600).unwrap()
    }

    fn leave(start: i64, end: i64) -> Result<Leave, Vec<Violation>> {
        let raw = RawLeave {
            member: "members/li".into(),
            start: Some(at(start)),
            end: Some(at(end)),
            reason: "年假".into(),
        };
        Leave::parse(LeaveId(uuid::Uuid::nil()), &raw)
    }

    #[test]
    fn a_leave_ends_after_its_start() {
        assert!(leave(1, 2).is_ok());
        for (start, end) in [(2, 2), (2, 1)] {
            assert_eq!(leave(start, end).unwrap_err()[0].field, "leave.end_time");
        }
        let empty = Leave::parse(LeaveId(uuid::Uuid::nil()), &RawLeave::default()).unwrap_err();
        let fields: Vec<_> = empty.into_iter().map(|it| it.field).collect();
        assert_eq!(fields, ["leave.member", "leave.start_time", "leave.end_time"]);
    }

    #[test]
    fn leaves_without_a_gap_count_as_one() {
        let leaves = Leaves::new(
            [
                leave(20, 30),
                leave(10, 15),
                leave(15, 20),
                leave(12, 13),
                leave(40, 50),
            ]
            .map(Result::unwrap),
        );
        let li = "members/li".parse().unwrap();
        for (now, until) in [
            (9, None),
            (10, Some(30)),
            (14, Some(30)),
            (29, Some(30)),
            (30, None),
            (40, Some(50)),
        ] {
            assert_eq!(leaves.away_until(&li, at(now)), until.map(at), "at {now}");
        }
        assert_eq!(leaves.away_until(&"members/wang".parse().unwrap(), at(10)), None);
    }
}
