//! What two leads that are the same become, field by field, and what taking that back gives to each.

mod undo;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::lead::State;

pub use undo::{FieldConflict, Undone, own_contact, without};

/// Fields that every lead has; further ones are [`ATTRIBUTE`] and their name.
pub const FIELDS: [&str; 10] = [
    "account",
    "budget",
    "company",
    "contact_name",
    "email",
    "phone",
    "product",
    "remark",
    "territory",
    "urgency",
];
/// What the name of a further field begins with.
pub const ATTRIBUTE: &str = "attributes.";

/// What a lead says, by field. A field of [`FIELDS`] that says nothing is empty, a further one may also be absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content(pub BTreeMap<String, String>);

impl Content {
    /// Returns what a field says, also an empty text; `None` for a further field that is absent.
    #[must_use]
    pub fn find(&self, field: &str) -> Option<&str> {
        self.0.get(field).map(String::as_str)
    }

    /// Lets a field say something else, or makes it absent.
    pub fn set(&mut self, field: &str, value: Option<&str>) {
        match value {
            Some(value) => {
                self.0.insert(field.to_owned(), value.to_owned());
            }
            None => {
                self.0.remove(field);
            }
        }
    }
}

/// One of two leads that are merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The one that stays.
    Survivor,
    /// The one that becomes a pointer.
    Loser,
}

impl Side {
    /// Returns the word tables use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Survivor => "survivor",
            Self::Loser => "loser",
        }
    }
}

/// Why a side is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Because {
    /// Its customer was reached, and that of the other not, or earlier.
    Confirmed,
    /// It came later.
    Newer,
}

impl Because {
    /// Returns the word tables use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Newer => "newer",
        }
    }
}

/// The side that is believed where both say something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preference {
    /// Which.
    pub side: Side,
    /// Why.
    pub because: Because,
}

/// What speaks for a lead: that it was confirmed last, then that it came last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Evidence {
    /// When its customer was last called or visited.
    pub confirmed: Option<Timestamp>,
    /// When it was captured.
    pub captured: Timestamp,
}

/// Returns which lead to believe; of two that came at once the one that stays.
#[must_use]
pub fn prefer(survivor: Evidence, loser: Evidence) -> Preference {
    let side = if loser > survivor { Side::Loser } else { Side::Survivor };
    let because = if survivor.confirmed == loser.confirmed {
        Because::Newer
    } else {
        Because::Confirmed
    };
    Preference { side, because }
}

/// Sides that were chosen, by field.
pub type Choices = BTreeMap<String, Side>;

/// Why a value survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// It was chosen.
    Chosen,
    /// The other one is empty.
    Filled,
    /// Its lead was confirmed last.
    Confirmed,
    /// Its lead came last.
    Newer,
    /// It allows less.
    Stricter,
}

/// A field on which the leads did not agree, and whose value survived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survival {
    /// The field.
    pub field: String,
    /// Whose value.
    pub side: Side,
    /// Why.
    pub rule: Rule,
}

/// A merge into a lead: what decided about its fields, and how both leads stood, so that it can be taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Images {
    /// What the survivor said before.
    pub before: Content,
    /// What it says since.
    pub after: Content,
    /// What the loser says.
    pub loser: Content,
    /// Whose values survived.
    pub fields: Vec<Survival>,
    /// When the survivor's customer had first been called.
    pub contact_before: Option<Timestamp>,
    /// When the customer of either had.
    pub contact_after: Option<Timestamp>,
    /// When the loser's had.
    pub contact_loser: Option<Timestamp>,
    /// Where the survivor stood.
    pub survivor_state: State,
    /// Where the loser stood.
    pub loser_state: State,
    /// Why the loser waited.
    pub loser_queue_reason: Option<String>,
    /// When the loser was closed.
    pub loser_close_time: Option<Timestamp>,
}

/// Returns what the survivor says after a merge, and each field on which the two did not agree.
#[must_use]
pub fn merge(
    survivor: &Content,
    loser: &Content,
    preference: Preference,
    choices: &Choices,
) -> (Content, Vec<Survival>) {
    let mut merged = survivor.clone();
    let mut fields = Vec::new();
    for field in union([survivor, loser]) {
        let values = (survivor.find(field), loser.find(field));
        let (side, rule) = match values {
            (ours, theirs) if ours == theirs => continue,
            (ours, theirs) if is_consent(field) => stricter(ours, theirs, preference.side),
            _ if choices.contains_key(field) => (choices[field], Rule::Chosen),
            (ours, theirs) if is_empty(ours) && is_empty(theirs) => continue,
            (ours, _) if is_empty(ours) => (Side::Loser, Rule::Filled),
            (_, theirs) if is_empty(theirs) => (Side::Survivor, Rule::Filled),
            _ => match preference.because {
                Because::Confirmed => (preference.side, Rule::Confirmed),
                Because::Newer => (preference.side, Rule::Newer),
            },
        };
        if side == Side::Loser {
            merged.set(field, loser.find(field));
        }
        let field = field.to_owned();
        fields.push(Survival { field, side, rule });
    }
    (merged, fields)
}

/// Tells whether a field says what somebody agreed to: by its name, as forms call it.
#[must_use]
pub fn is_consent(field: &str) -> bool {
    let name = field.strip_prefix(ATTRIBUTE).map(str::to_lowercase);
    name.is_some_and(|name| name.contains("consent") || name.contains("同意"))
}

/// Returns how much a consent allows: nothing of a refusal, then as little as where nothing is said, then an agreement.
pub(super) fn allowance(value: Option<&str>) -> u8 {
    const AGREEMENTS: [&str; 8] = ["是", "同意", "已同意", "yes", "true", "1", "on", "agreed"];
    match value.map(str::trim) {
        None | Some("") => 1,
        Some(word) if AGREEMENTS.contains(&word.to_lowercase().as_str()) => 2,
        Some(_) => 0,
    }
}

/// Returns the side that allows less: a refusal, then nothing said, then an agreement.
fn stricter(ours: Option<&str>, theirs: Option<&str>, preferred: Side) -> (Side, Rule) {
    let side = match allowance(ours).cmp(&allowance(theirs)) {
        std::cmp::Ordering::Less => Side::Survivor,
        std::cmp::Ordering::Greater => Side::Loser,
        std::cmp::Ordering::Equal => preferred,
    };
    (side, Rule::Stricter)
}

/// Returns the earlier of two first contacts.
#[must_use]
pub fn first_contact(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}

fn is_empty(value: Option<&str>) -> bool {
    value.is_none_or(str::is_empty)
}

fn union<const N: usize>(contents: [&Content; N]) -> BTreeSet<&str> {
    let fields = contents.into_iter().flat_map(|content| content.0.keys());
    fields.map(String::as_str).collect()
}

#[cfg(test)]
mod tests;
