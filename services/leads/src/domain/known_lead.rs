//! What a row of a file does to a lead that is known already, and what taking that back does.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    lead::State,
    lead_file::Reason,
    merge::{self, ATTRIBUTE, Content, FieldConflict},
    new_lead::MAX_ATTRIBUTES,
};

/// What rows do to leads that are known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnKnown {
    /// Nothing.
    #[default]
    Skip,
    /// They fill what is empty.
    Fill,
    /// They fill what is empty and overwrite the rest.
    Overwrite,
}

impl OnKnown {
    /// Returns its word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Fill => "fill",
            Self::Overwrite => "overwrite",
        }
    }
}

/// Values of fields at one time; `None` for a further field that was not there.
pub type Values = BTreeMap<String, Option<String>>;

/// What changed, field by field: both have the same fields.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What the fields said before.
    pub before: Values,
    /// What they say after.
    pub after: Values,
}

impl Change {
    /// Tells whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.after.is_empty()
    }

    /// Adds what changed later.
    pub fn then(&mut self, later: Self) {
        for (field, value) in later.before {
            self.before.entry(field).or_insert(value);
        }
        self.after.extend(later.after);
    }

    /// Lets a lead say what it says after.
    pub fn apply(&self, content: &mut Content) {
        for (field, value) in &self.after {
            content.set(field, value.as_deref());
        }
    }

    /// Takes the change back: returns what the lead says then, as far as that is clear, and the fields that say by now what
    /// somebody else let them say.
    #[must_use]
    pub fn take_back(&self, now: &Content) -> (Content, Vec<FieldConflict>) {
        let mut content = now.clone();
        let mut conflicts = Vec::new();
        for (field, after) in &self.after {
            let before = self.before.get(field).and_then(Option::as_deref);
            let kept = now.find(field);
            if kept == after.as_deref() {
                content.set(field, before);
            } else if kept != before {
                conflicts.push(FieldConflict {
                    field: field.clone(),
                    kept: kept.map(str::to_owned),
                    restored: before.map(str::to_owned),
                });
            }
        }
        (content, conflicts)
    }
}

/// Returns what a row changes; an empty change where the lead says all that already.
#[must_use]
pub fn change(stored: &Content, row: &Content, on_known: OnKnown) -> Change {
    let mut change = Change::default();
    for (field, value) in row.0.iter().filter(|(_, value)| !value.is_empty()) {
        let present = stored.find(field);
        let is_empty = present.is_none_or(str::is_empty);
        let takes = match on_known {
            OnKnown::Skip => false,
            _ if present == Some(value) => false,
            _ if merge::is_consent(field) => merge::allowance(Some(value)) < merge::allowance(present),
            OnKnown::Fill => is_empty,
            OnKnown::Overwrite => true,
        };
        if takes {
            change.before.insert(field.clone(), present.map(str::to_owned));
            change.after.insert(field.clone(), Some(value.clone()));
        }
    }
    change
}

/// Why a known lead stays as it is though a row says something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conflict {
    /// It is closed, which an erased one is, too.
    Closed,
    /// It stands for another lead.
    Merged,
    /// Others were merged into it: a merge decided what it says.
    Survivor,
    /// It would have too many further fields.
    Full,
}

impl Conflict {
    /// Finds what is in the way of a change.
    #[must_use]
    pub fn find(state: State, is_survivor: bool, stored: &Content, change: &Change) -> Option<Self> {
        let is_new = |field: &&String| field.starts_with(ATTRIBUTE) && stored.find(field).is_none();
        let added = change.after.keys().filter(is_new).count();
        let held = stored.0.keys().filter(|field| field.starts_with(ATTRIBUTE)).count();
        match state {
            State::Closed => Some(Self::Closed),
            State::Merged => Some(Self::Merged),
            _ if is_survivor => Some(Self::Survivor),
            _ if added > 0 && held + added > MAX_ATTRIBUTES => Some(Self::Full),
            _ => None,
        }
    }

    /// Says it.
    #[must_use]
    pub fn reason(self) -> Reason {
        let (en, zh) = match self {
            Self::Closed => ("is closed", "线索已关闭"),
            Self::Merged => ("was merged into another lead", "线索已合并到其他线索"),
            Self::Survivor => ("had others merged into it since", "其他线索已合并到该线索"),
            Self::Full => ("would have more than 50 further fields", "附加字段将超过 50 个"),
        };
        Reason {
            en: en.into(),
            zh: zh.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(fields: &[(&str, &str)]) -> Content {
        let fields = fields
            .iter()
            .map(|(field, value)| ((*field).to_owned(), (*value).to_owned()));
        Content(fields.collect())
    }

    #[test]
    fn rows_fill_or_overwrite_and_never_loosen_a_consent() {
        let stored = content(&[
            ("phone", "1"),
            ("email", ""),
            ("remark", "旧"),
            ("attributes.同意营销", "否"),
        ]);
        let row = content(&[
            ("phone", "2"),
            ("email", "a@b"),
            ("remark", ""),
            ("attributes.科室", "骨科"),
            ("attributes.同意营销", "是"),
        ]);
        let fields = |on_known| {
            let change = change(&stored, &row, on_known);
            assert!(change.before.keys().eq(change.after.keys()));
            change.after.into_keys().collect::<Vec<_>>()
        };
        assert_eq!(fields(OnKnown::Skip), [""; 0]);
        assert_eq!(fields(OnKnown::Fill), ["attributes.科室", "email"]);
        assert_eq!(fields(OnKnown::Overwrite), ["attributes.科室", "email", "phone"]);
        let refusal = content(&[("attributes.同意营销", "否")]);
        let agreed = content(&[("attributes.同意营销", "是")]);
        assert_eq!(change(&agreed, &refusal, OnKnown::Fill).after.len(), 1);
        assert!(change(&stored, &stored, OnKnown::Overwrite).is_empty());
    }

    #[test]
    fn two_changes_are_taken_back_as_one() {
        let stored = content(&[("phone", "1"), ("remark", "")]);
        let mut now = stored.clone();
        let mut all = Change::default();
        for row in [
            content(&[("phone", "2"), ("attributes.x", "y")]),
            content(&[("phone", "3"), ("remark", "r")]),
        ] {
            let change = change(&now, &row, OnKnown::Overwrite);
            change.apply(&mut now);
            all.then(change);
        }
        assert_eq!(now, content(&[("phone", "3"), ("remark", "r"), ("attributes.x", "y")]));
        assert_eq!(all.take_back(&now), (stored.clone(), Vec::new()));

        now.set("remark", Some("手工改"));
        let (content, conflicts) = all.take_back(&now);
        assert_eq!(
            (content.find("phone"), content.find("remark")),
            (Some("1"), Some("手工改"))
        );
        let conflict = FieldConflict {
            field: "remark".into(),
            kept: Some("手工改".into()),
            restored: Some(String::new()),
        };
        assert_eq!(conflicts, [conflict]);
        // Who said the same again has nothing to decide.
        assert_eq!(all.take_back(&stored), (stored, Vec::new()));
    }

    #[test]
    fn what_is_in_the_way_is_found() {
        let stored = content(&[("phone", "1")]);
        let row = content(&[("phone", "2")]);
        let changed = change(&stored, &row, OnKnown::Overwrite);
        let find = |state, is_survivor| Conflict::find(state, is_survivor, &stored, &changed);
        assert_eq!(find(State::Claimed, false), None);
        assert_eq!(find(State::Closed, true), Some(Conflict::Closed));
        assert_eq!(find(State::Merged, false), Some(Conflict::Merged));
        assert_eq!(find(State::Queued, true), Some(Conflict::Survivor));
        let many = |count: usize| Content((0..count).map(|at| (format!("{ATTRIBUTE}{at}"), "x".into())).collect());
        let more = |count| change(&many(40), &many(count), OnKnown::Fill);
        assert_eq!(Conflict::find(State::Queued, false, &many(40), &more(50)), None);
        assert_eq!(
            Conflict::find(State::Queued, false, &many(40), &more(51)),
            Some(Conflict::Full)
        );
    }
}
