//! Something another system saw of a lead.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::tags::{CAPTURED, FOLLOW_UP_RECORDED, check_kind};
use super::violation::{Violation, Violations};

/// Facts of one call.
pub const MAX_FACTS: usize = 100;
const MAX_OBJECT_CHARACTERS: usize = 500;
const LONGEST: Duration = Duration::from_hours(24);
/// How far a sender's clock may be ahead of ours.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(60);

/// A fact as it was sent, not checked.
#[derive(Debug, Clone, Default)]
pub struct RawLeadFact {
    /// The sender's id of it.
    pub id: String,
    /// What it was.
    pub kind: String,
    /// When it was; must be there.
    pub occur_time: Option<Timestamp>,
    /// What it was about.
    pub object: String,
    /// How long it took.
    pub duration: Option<Duration>,
}

/// A fact that may be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeadFact {
    /// The sender's id of it.
    pub id: Uuid,
    /// What it was.
    pub kind: String,
    /// When it was.
    pub occur_time: Timestamp,
    /// What it was about, or empty.
    pub object: String,
    /// How long it took.
    pub duration: Option<Duration>,
}

impl LeadFact {
    /// Checks facts.
    ///
    /// # Errors
    /// Returns everything that is wrong with them.
    pub fn parse_all(raw: &[RawLeadFact], now: Timestamp) -> Result<Vec<Self>, Vec<Violation>> {
        let mut violations = Violations::default();
        if !(1..=MAX_FACTS).contains(&raw.len()) {
            violations.add("facts", format!("must be 1 to {MAX_FACTS}"));
            return Err(violations.into_vec());
        }
        let mut facts: Vec<Self> = Vec::with_capacity(raw.len());
        for (at, raw) in raw.iter().enumerate() {
            let path = format!("facts[{at}]");
            let Some(fact) = Self::parse(&mut violations, &path, raw, now) else {
                continue;
            };
            if facts.iter().any(|earlier| earlier.id == fact.id) {
                violations.add(format!("{path}.id"), "is the id of an earlier fact of this request");
            }
            facts.push(fact);
        }
        if violations.is_empty() {
            Ok(facts)
        } else {
            Err(violations.into_vec())
        }
    }

    fn parse(violations: &mut Violations, path: &str, raw: &RawLeadFact, now: Timestamp) -> Option<Self> {
        let field = |name: &str| format!("{path}.{name}");
        let id = Uuid::try_parse(&raw.id).ok().filter(|id| !id.is_nil());
        if id.is_none() {
            violations.add(field("id"), "must be a UUID");
        }
        check_kind(violations, &field("kind"), &raw.kind);
        if [CAPTURED, FOLLOW_UP_RECORDED].contains(&raw.kind.as_str()) {
            violations.add(field("kind"), "is a kind of facts that are known without being sent");
        }
        match raw.occur_time {
            None => violations.add(field("occur_time"), "must be set"),
            Some(at) if at > now + TOLERANCE => violations.add(field("occur_time"), "must not be in the future"),
            Some(_) => {}
        }
        if raw.duration.is_some_and(|it| it > LONGEST) {
            violations.add(field("duration"), "must be 0 to 24 hours");
        }
        Some(Self {
            object: violations.line(&field("object"), &raw.object, 0..=MAX_OBJECT_CHARACTERS),
            id: id?,
            kind: raw.kind.clone(),
            occur_time: raw.occur_time?.min(now),
            duration: raw.duration,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::constant(1_771_200_000, 0);

    fn raw(id: u128, kind: &str) -> RawLeadFact {
        RawLeadFact {
            id: Uuid::from_u128(id).to_string(),
            kind: kind.into(),
            occur_time: Some(NOW),
            ..RawLeadFact::default()
        }
    }

    #[test]
    fn facts_are_checked_with_their_places() {
        let ahead = RawLeadFact {
            occur_time: Some(NOW + SignedDuration::from_secs(30)),
            ..raw(1, "page_visited")
        };
        assert_eq!(
            LeadFact::parse_all(&[ahead], NOW).unwrap()[0].occur_time,
            NOW,
            "a clock a little ahead is ours"
        );
        let long = RawLeadFact {
            duration: Some(LONGEST + Duration::from_secs(1)),
            object: "x".repeat(501),
            ..raw(2, "page_visited")
        };
        let late = RawLeadFact {
            occur_time: Some(NOW + SignedDuration::from_mins(2)),
            ..raw(3, "page_visited")
        };
        for (facts, fields) in [
            (vec![], &["facts"][..]),
            (vec![raw(1, "x"); MAX_FACTS + 1], &["facts"]),
            (vec![raw(1, "x"), raw(1, "y")], &["facts[1].id"]),
            (vec![raw(0, "captured")], &["facts[0].id", "facts[0].kind"]),
            (vec![raw(1, "x"), long], &["facts[1].duration", "facts[1].object"]),
            (vec![late], &["facts[0].occur_time"]),
            (
                vec![RawLeadFact::default()],
                &["facts[0].id", "facts[0].kind", "facts[0].occur_time"],
            ),
        ] {
            let faults = LeadFact::parse_all(&facts, NOW).unwrap_err();
            let found: Vec<_> = faults.iter().map(|fault| fault.field.as_str()).collect();
            assert_eq!(found, fields);
        }
    }
}
