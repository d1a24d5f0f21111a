//! Taking a merge back while others into the same lead stay: the fields are told anew from before it, without it.

use jiff::Timestamp;

use super::{Choices, Content, Images, Preference, first_contact, merge, union};

/// What taking a merge back does to the survivor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undone {
    /// What it says then, as far as that is clear.
    pub content: Content,
    /// Fields that were changed since in another way, in alphabetical order; `content` has the values of now.
    pub conflicts: Vec<FieldConflict>,
    /// The merges that came later, as they are without this one.
    pub later: Vec<Images>,
}

/// A field that somebody changed after the merge had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldConflict {
    /// The field.
    pub field: String,
    /// What it says now.
    pub kept: Option<String>,
    /// What it would say without the merge.
    pub restored: Option<String>,
}

/// Takes one of the merges that hold into a lead back; `chain` has them in their order, each with what decided about it, and `now`
/// is what the lead says.
///
/// # Panics
/// When there is no merge at `at`.
#[must_use]
pub fn without(chain: &[(Images, Preference, Choices)], at: usize, now: &Content) -> Undone {
    let (undone, ..) = &chain[at];
    let mut told = undone.before.clone();
    let mut contact = undone.contact_before;
    let mut after = (&undone.after, undone.contact_after);
    let mut later = Vec::new();
    for (images, preference, choices) in &chain[at + 1..] {
        // What was changed between two merges stays changed.
        for field in union([&images.before, after.0]) {
            if images.before.find(field) != after.0.find(field) {
                told.set(field, images.before.find(field));
            }
        }
        if after.1.is_none() && images.contact_before.is_some() {
            contact = images.contact_before;
        }
        after = (&images.after, images.contact_after);
        let (outcome, fields) = merge(&told, &images.loser, *preference, choices);
        let contact_after = first_contact(contact, images.contact_loser);
        later.push(Images {
            before: std::mem::replace(&mut told, outcome.clone()),
            after: outcome,
            fields,
            contact_before: std::mem::replace(&mut contact, contact_after),
            contact_after,
            ..images.clone()
        });
    }
    let mut content = now.clone();
    let mut conflicts = Vec::new();
    for field in union([now, &told, after.0]) {
        let (kept, restored, expected) = (now.find(field), told.find(field), after.0.find(field));
        if kept == restored || restored == expected {
            continue;
        }
        if kept == expected {
            content.set(field, restored);
        } else {
            conflicts.push(FieldConflict {
                field: field.to_owned(),
                kept: kept.map(str::to_owned),
                restored: restored.map(str::to_owned),
            });
        }
    }
    Undone {
        content,
        conflicts,
        later,
    }
}

/// Returns the first contact that a lead had by itself, as far as its row tells: one that it had before a merge gave it one.
/// `now` is what it has.
#[must_use]
pub fn own_contact<'a>(chain: impl IntoIterator<Item = &'a Images>, now: Option<Timestamp>) -> Option<Timestamp> {
    let mut after = None;
    for images in chain {
        if after.is_none() && images.contact_before.is_some() {
            return images.contact_before;
        }
        after = images.contact_after;
    }
    if after.is_none() { now } else { None }
}
