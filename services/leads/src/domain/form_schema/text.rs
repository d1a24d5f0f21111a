//! Texts of forms in two languages.

use serde::{Deserialize, Serialize};

use crate::domain::{member::Locale, violation::Violations};

/// A text in the languages of pages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// In Chinese.
    pub zh: String,
    /// In English.
    pub en: String,
}

impl Text {
    pub(super) fn parse(&self, violations: &mut Violations, path: &str) -> Self {
        Self {
            zh: violations.line(&format!("{path}.zh"), &self.zh, 0..=200),
            en: violations.line(&format!("{path}.en"), &self.en, 0..=200),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.zh.is_empty() && self.en.is_empty()
    }

    /// Returns the text in a language, or in the other where it is missing.
    #[must_use]
    pub fn in_language(&self, locale: Locale) -> &str {
        let (first, second) = match locale {
            Locale::ZhCn => (&self.zh, &self.en),
            Locale::En => (&self.en, &self.zh),
        };
        if first.is_empty() { second } else { first }
    }
}
