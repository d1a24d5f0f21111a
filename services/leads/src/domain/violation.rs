//! What is wrong with what somebody sent, field by field.

use std::ops::RangeInclusive;

use super::ids::{InvalidName, ResourceId};

/// One field at fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Path of the field, for example `lead.company`.
    pub field: String,
    /// What is wrong with it, without its value.
    pub description: String,
}

/// Collects everything that is wrong, so that the sender need not come back for each field.
#[derive(Debug, Default)]
pub struct Violations(Vec<Violation>);

impl Violations {
    /// Adds a fault.
    pub fn add(&mut self, field: impl Into<String>, description: impl Into<String>) {
        self.0.push(Violation {
            field: field.into(),
            description: description.into(),
        });
    }

    /// Returns whether nothing is wrong so far.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the faults in the order they were found.
    #[must_use]
    pub fn into_vec(self) -> Vec<Violation> {
        self.0
    }

    /// Checks a text of one line and returns it trimmed; line breaks and tabs become spaces.
    pub fn line(&mut self, field: &str, text: &str, characters: RangeInclusive<usize>) -> String {
        let text = text.trim();
        self.check_text(field, text, characters);
        if text.contains(LINE_SPACE) {
            text.replace("\r\n", " ").replace(LINE_SPACE, " ")
        } else {
            text.to_owned()
        }
    }

    /// Checks a text that may have several lines and returns it trimmed, with `\n` between them.
    pub fn text(&mut self, field: &str, text: &str, characters: RangeInclusive<usize>) -> String {
        let text = text.trim();
        self.check_text(field, text, characters);
        if text.contains('\r') {
            text.replace("\r\n", "\n").replace('\r', "\n")
        } else {
            text.to_owned()
        }
    }

    /// Checks that a number is within limits and returns it.
    pub fn number<N: Copy + PartialOrd + std::fmt::Display>(
        &mut self,
        field: &str,
        number: N,
        limits: RangeInclusive<N>,
    ) -> N {
        if !limits.contains(&number) {
            self.add(field, format!("must be {} to {}", limits.start(), limits.end()));
        }
        number
    }

    /// Parses a resource name that must be there.
    pub fn name<Id: ResourceId>(&mut self, field: &str, name: &str) -> Option<Id> {
        name.parse()
            .map_err(|error: InvalidName| self.add(field, error.to_string()))
            .ok()
    }

    /// Parses a resource name that may be empty.
    pub fn optional_name<Id: ResourceId>(&mut self, field: &str, name: &str) -> Option<Id> {
        if name.is_empty() { None } else { self.name(field, name) }
    }

    fn check_text(&mut self, field: &str, text: &str, characters: RangeInclusive<usize>) {
        let count = text.chars().count();
        if count < *characters.start() {
            self.add(field, "must not be empty");
        } else if count > *characters.end() {
            self.add(
                field,
                format!("must be at most {} characters, has {count}", characters.end()),
            );
        }
        if text
            .chars()
            .any(|character| character.is_control() && !LINE_SPACE.contains(&character))
        {
            self.add(field, "must not contain control characters");
        }
    }
}

const LINE_SPACE: [char; 3] = ['\n', '\r', '\t'];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::TeamId;

    #[test]
    fn texts_are_trimmed_counted_in_characters_and_free_of_control() {
        let mut violations = Violations::default();
        assert_eq!(violations.line("a", "  上海\r\n骨科 ", 0..=10), "上海 骨科");
        assert_eq!(violations.text("b", "一\r\n二\r三\t", 0..=10), "一\n二\n三");
        assert_eq!(violations.line("c", "华东华东华", 1..=5), "华东华东华");
        assert!(violations.is_empty());
        violations.line("d", "华东华东华东", 1..=5);
        violations.line("e", " \u{3000}", 1..=5);
        violations.line("f", "a\0b", 0..=5);
        violations.text("g", "a\u{85}b", 0..=5);
        let fields: Vec<_> = violations
            .into_vec()
            .into_iter()
            .map(|violation| violation.field)
            .collect();
        assert_eq!(fields, ["d", "e", "f", "g"]);
    }

    #[test]
    fn names_and_numbers_are_checked() {
        let mut violations = Violations::default();
        assert_eq!(violations.optional_name::<TeamId>("team", ""), None);
        assert!(violations.name::<TeamId>("team", "teams/zhang").is_some());
        assert_eq!(violations.number("weight", 7, 1..=1000), 7);
        assert!(violations.is_empty());
        violations.name::<TeamId>("team", "");
        violations.optional_name::<TeamId>("team", "members/zhang");
        violations.number("weight", 1001, 1..=1000);
        let found = violations.into_vec();
        assert_eq!(found.len(), 3);
        assert_eq!(found[2].description, "must be 1 to 1000");
    }
}
