//! Where a lead stands, and which moves are legal.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ids::MemberId;

/// State of a lead; it moves only by verbs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Stored, not yet routed.
    Captured,
    /// Routed, but nobody can take it now; kept in order.
    Queued,
    /// Has an owner who has not claimed it.
    Assigned,
    /// The owner took it.
    Claimed,
    /// A call was recorded.
    Contacted,
    /// Closed.
    Closed,
    /// Merged into another lead, which it stands for.
    Merged,
    /// Waits for a source that the gate asks.
    Held,
    /// In the nurture pool: not for salespeople now.
    Nurture,
    /// Set aside as no real lead, for somebody to look at.
    SetAside,
}

impl State {
    /// Every state, in the order a lead passes them.
    pub const ALL: [Self; 10] = [
        Self::Captured,
        Self::Queued,
        Self::Assigned,
        Self::Claimed,
        Self::Contacted,
        Self::Closed,
        Self::Merged,
        Self::Held,
        Self::Nurture,
        Self::SetAside,
    ];

    /// Returns the word tables and messages use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Captured => "captured",
            Self::Queued => "queued",
            Self::Assigned => "assigned",
            Self::Claimed => "claimed",
            Self::Contacted => "contacted",
            Self::Closed => "closed",
            Self::Merged => "merged",
            Self::Held => "held",
            Self::Nurture => "nurture",
            Self::SetAside => "set_aside",
        }
    }

    /// Returns the state a word stands for.
    #[must_use]
    pub fn find(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Tells whether a lead may move from this state to `next`.
    ///
    /// Anything open may be contacted, since a call that happened cannot be refused; anything owned may get another owner
    /// or wait for one; only an assigned lead is claimed; nothing leaves `Closed`, nothing returns to `Captured`. Merging and
    /// its undoing are no moves of a lead's own: a lead may stand for another from any state, and comes back to it. A lead is
    /// held before anybody had it; it is set aside as it comes, or when somebody says that it is none.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        match next {
            Self::Captured | Self::Merged => false,
            Self::Claimed => self == Self::Assigned,
            Self::Queued => self.is_open() && self != Self::Queued,
            Self::Contacted => self.is_open() && self != Self::Contacted,
            Self::Assigned | Self::Closed => self.is_open(),
            Self::Held => matches!(self, Self::Captured | Self::SetAside),
            Self::Nurture => self.is_open() && self != Self::Nurture,
            Self::SetAside => self.is_open() && self != Self::SetAside,
        }
    }

    /// Tells whether the lead is somebody's work: these leads fill the owner's capacity.
    #[must_use]
    pub fn is_owned(self) -> bool {
        matches!(self, Self::Assigned | Self::Claimed | Self::Contacted)
    }

    /// Tells whether the lead is kept from salespeople: no clock of it runs.
    #[must_use]
    pub fn is_aside(self) -> bool {
        matches!(self, Self::Held | Self::Nurture | Self::SetAside)
    }

    /// Tells whether anything can still happen to the lead.
    #[must_use]
    pub fn is_open(self) -> bool {
        !matches!(self, Self::Closed | Self::Merged)
    }
}

/// How soon the customer wants an answer (红/黄/绿).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Urgency {
    /// At once.
    Red,
    /// This week.
    Yellow,
    /// Some time.
    Green,
}

impl Urgency {
    /// Reads what a form or another system calls it; capitals do not matter.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "红" | "red" | "urgency_red" => Some(Self::Red),
            "黄" | "yellow" | "urgency_yellow" => Some(Self::Yellow),
            "绿" | "green" | "urgency_green" => Some(Self::Green),
            _ => None,
        }
    }
}

/// What decides about a lead's next move; read under the lead's lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its state.
    pub state: State,
    /// Its owner, if any.
    pub owner: Option<MemberId>,
    /// Grows with every change of owner.
    pub fencing_token: i64,
    /// When the first call was recorded, if one was.
    pub first_contact_time: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_legal_moves_are_allowed() {
        use State::{Assigned, Captured, Claimed, Closed, Contacted, Held, Merged, Nurture, Queued, SetAside};
        let table: [(State, &[State]); 10] = [
            (
                Captured,
                &[Queued, Assigned, Contacted, Closed, Held, Nurture, SetAside],
            ),
            (Queued, &[Assigned, Contacted, Closed, Nurture, SetAside]),
            (
                Assigned,
                &[Queued, Assigned, Claimed, Contacted, Closed, Nurture, SetAside],
            ),
            (Claimed, &[Queued, Assigned, Contacted, Closed, Nurture, SetAside]),
            (Contacted, &[Queued, Assigned, Closed, Nurture, SetAside]),
            (Closed, &[]),
            (Merged, &[]),
            (Held, &[Queued, Assigned, Contacted, Closed, Nurture, SetAside]),
            (Nurture, &[Queued, Assigned, Contacted, Closed, SetAside]),
            (SetAside, &[Queued, Assigned, Contacted, Closed, Held, Nurture]),
        ];
        for (from, legal) in table {
            for to in State::ALL {
                assert_eq!(from.may_become(to), legal.contains(&to), "{from:?} -> {to:?}");
            }
        }
    }

    #[test]
    fn words_lead_back_to_states() {
        for state in State::ALL {
            assert_eq!(State::find(state.as_str()), Some(state));
        }
        assert_eq!(State::find("lost"), None);
    }
}
