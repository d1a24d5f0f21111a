//! Collects everything that is wrong with a request, so that a caller learns it at once.

use std::ops::RangeInclusive;

use tonic::Status;

use super::{FieldViolation, invalid};

/// The violations of one request.
#[derive(Debug, Default)]
pub struct Violations(Vec<FieldViolation>);

impl Violations {
    /// Adds a violation of `field`, a path such as "lead.contact.phone".
    pub fn add(&mut self, field: impl Into<String>, description: impl Into<String>) {
        self.0.push(FieldViolation::new(field, description));
    }

    /// Adds a violation found elsewhere.
    pub fn push(&mut self, violation: FieldViolation) {
        self.0.push(violation);
    }

    /// Checks the length of a text in characters, and that it can be stored and shown: no NUL, no control characters
    /// besides line feed and tab.
    pub fn text(&mut self, field: &str, text: &str, characters: RangeInclusive<usize>) {
        // A text has at most as many characters as bytes: only long ones need counting.
        let count = if text.len() < *characters.start() {
            text.len()
        } else {
            text.chars().count()
        };
        if !characters.contains(&count) {
            let (least, most) = (characters.start(), characters.end());
            let description = match *least {
                0 => format!("must have at most {most} characters"),
                1 if text.is_empty() => "must be set".to_owned(),
                _ => format!("must have {least} to {most} characters"),
            };
            self.add(field, description);
        } else if text
            .chars()
            .any(|character| character.is_control() && !matches!(character, '\n' | '\t'))
        {
            self.add(field, "must not contain control characters");
        }
    }

    /// Returns whether nothing is wrong so far.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Ends the checks.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT` with all violations, if there are any.
    pub fn finish(self) -> Result<(), Status> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(invalid(self.0))
        }
    }
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt as _;

    use super::*;

    #[test]
    fn texts_are_counted_in_characters_and_free_of_controls() {
        let four = "江苏徐州";
        for (text, range, expected) in [
            ("", 0..=4, None),
            ("", 1..=4, Some("must be set")),
            (four, 1..=4, None),
            ("江苏徐州市", 0..=4, Some("must have at most 4 characters")),
            ("ab", 3..=4, Some("must have 3 to 4 characters")),
            ("a\tb\n", 1..=4, None),
            ("a\0", 1..=4, Some("must not contain control characters")),
            ("a\r\n", 1..=4, Some("must not contain control characters")),
            ("\u{85}", 1..=4, Some("must not contain control characters")),
        ] {
            let mut violations = Violations::default();
            violations.text("lead.company", text, range);
            let found = violations
                .finish()
                .map_err(|status| status.get_details_bad_request().unwrap());
            let found = found.err().map(|bad| bad.field_violations[0].description.clone());
            assert_eq!(found.as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn all_violations_arrive() {
        let mut violations = Violations::default();
        assert!(violations.is_empty());
        violations.add("a", "first");
        violations.push(FieldViolation::new("b", "second"));
        let status = violations.finish().unwrap_err();
        let fields: Vec<_> = status
            .get_details_bad_request()
            .unwrap()
            .field_violations
            .into_iter()
            .map(|one| one.field)
            .collect();
        assert_eq!(fields, ["a", "b"]);
    }
}
