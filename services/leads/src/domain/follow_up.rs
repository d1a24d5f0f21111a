//! What was done with a lead: a call, a visit or a message, in two fields people fill in.

use jiff::Timestamp;

use super::violation::{Violation, Violations};

/// How the customer was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// By telephone.
    Call,
    /// In person.
    Visit,
    /// In writing.
    Message,
}

impl Kind {
    /// Returns the word tables use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Visit => "visit",
            Self::Message => "message",
        }
    }

    /// Tells whether it is a first contact, which stops the lead's clock; a message is not.
    #[must_use]
    pub fn is_contact(self) -> bool {
        self != Self::Message
    }
}

/// Where the decision maker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attitude {
    /// 明确支持.
    Supports,
    /// 需再沟通.
    Undecided,
    /// 已否决.
    Rejects,
}

impl Attitude {
    /// Returns the word tables use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Supports => "supports",
            Self::Undecided => "undecided",
            Self::Rejects => "rejects",
        }
    }
}

/// A follow-up as it was sent, not checked; its lead and member are settled elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RawFollowUp {
    /// How; must be there.
    pub kind: Option<Kind>,
    /// Where the decision maker stands.
    pub attitude: Option<Attitude>,
    /// What comes next.
    pub next_action: String,
    /// Free text.
    pub note: String,
    /// Whether the needs screening form (需求初筛表) is complete.
    pub screening_complete: bool,
    /// When it was done; now when absent.
    pub occur_time: Option<Timestamp>,
}

/// A follow-up that may be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewFollowUp {
    /// How.
    pub kind: Kind,
    /// Where the decision maker stands.
    pub attitude: Option<Attitude>,
    /// What comes next.
    pub next_action: String,
    /// Free text, lines separated by `\n`.
    pub note: String,
    /// Whether the needs screening form is complete.
    pub screening_complete: bool,
    /// When it was done.
    pub occur_time: Timestamp,
}

impl NewFollowUp {
    /// Checks a follow-up. Fields of the violations start with `follow_up.`.
    ///
    /// # Errors
    /// Returns everything that is wrong with it.
    pub fn parse(raw: &RawFollowUp, now: Timestamp) -> Result<Self, Vec<Violation>> {
        let mut violations = Violations::default();
        if raw.kind.is_none() {
            violations.add("follow_up.kind", "must be given");
        }
        let next_action = violations.line("follow_up.next_action", &raw.next_action, 0..=200);
        let note = violations.text("follow_up.note", &raw.note, 0..=4000);
        let occur_time = raw.occur_time.unwrap_or(now);
        if occur_time > now {
            violations.add("follow_up.occur_time", "must not be in the future");
        }
        let (Some(kind), true) = (raw.kind, violations.is_empty()) else {
            return Err(violations.into_vec());
        };
        let (attitude, screening_complete) = (raw.attitude, raw.screening_complete);
        Ok(Self {
            kind,
            attitude,
            next_action,
            note,
            screening_complete,
            occur_time,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follow_ups_are_checked() {
        let now = Timestamp::UNIX_EPOCH;
        let raw = RawFollowUp {
            kind: Some(Kind::Call),
            next_action: " 预约演示 ".into(),
            ..RawFollowUp::default()
        };
        let call = NewFollowUp::parse(&raw, now).unwrap();
        assert_eq!((call.next_action.as_str(), call.occur_time), ("预约演示", now));
        let wrong = RawFollowUp {
            next_action: "预".repeat(201),
            note: "字".repeat(4001),
            occur_time: Some(Timestamp::from_second(1).unwrap()),
            ..RawFollowUp::default()
        };
        let fields: Vec<_> = NewFollowUp::parse(&wrong, now)
            .unwrap_err()
            .into_iter()
            .map(|it| it.field)
            .collect();
        let expected = [
            "follow_up.kind",
            "follow_up.next_action",
            "follow_up.note",
            "follow_up.occur_time",
        ];
        assert_eq!(fields, expected);
    }

    #[test]
    fn a_message_is_no_first_call() {
        assert!(Kind::Call.is_contact() && Kind::Visit.is_contact() && !Kind::Message.is_contact());
    }
}
