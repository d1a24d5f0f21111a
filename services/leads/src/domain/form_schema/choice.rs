//! Choices of selects.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Kind, Text};
use crate::domain::violation::Violations;

/// Choices of one select.
pub(super) const MAX_OPTIONS: usize = 200;
/// What stands between the values of a multi select.
pub(in crate::domain) const COMMAS: [char; 2] = [',', '，'];

/// A choice of a select.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// What is stored.
    pub value: String,
    /// What the page shows; empty for the value.
    pub label: Text,
}

/// Checks the options of a field: selects have some, other kinds none.
pub(super) fn parse(violations: &mut Violations, path: &str, kind: Kind, raw: &[Choice]) -> Vec<Choice> {
    let wanted = if kind.is_select() { 1..=MAX_OPTIONS } else { 0..=0 };
    if !wanted.contains(&raw.len()) {
        let rule = if kind.is_select() {
            format!("must be 1 to {MAX_OPTIONS}")
        } else {
            "are for selects only".to_owned()
        };
        violations.add(path, rule);
        return Vec::new();
    }
    let mut values = BTreeSet::new();
    let mut options = Vec::with_capacity(raw.len());
    for (at, option) in raw.iter().enumerate() {
        let field = format!("{path}[{at}].value");
        let value = violations.line(&field, &option.value, 1..=100);
        if value.contains(COMMAS) {
            violations.add(
                field.as_str(),
                "must not contain commas, which stand between several values",
            );
        }
        if !values.insert(value.clone()) {
            violations.add(field, "occurs twice");
        }
        let label = option.label.parse(violations, &format!("{path}[{at}].label"));
        options.push(Choice { value, label });
    }
    options
}
