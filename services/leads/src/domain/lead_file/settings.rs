//! How a file of leads is to be read.

use std::collections::BTreeMap;

use reflex_table::{DELIMITERS, Dialect, Encoding, MAX_CELLS, heading_key};
use sha2::{Digest as _, Sha256};

use super::Field;
use crate::domain::ids::FormId;
use crate::domain::known_lead::OnKnown;
use crate::domain::violation::{Violation, Violations};

/// Settings as they were sent, not checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawSettings {
    /// Channel of rows that name none.
    pub source: String,
    /// `forms/{form}` of rows that name none.
    pub form: String,
    /// A name of an encoding, or empty.
    pub encoding: String,
    /// What stands between cells, or empty.
    pub delimiter: String,
    /// Names of fields by heading.
    pub columns: BTreeMap<String, String>,
    /// What rows do to known leads; `None` for what nobody knows.
    pub on_known: Option<OnKnown>,
}

impl Default for RawSettings {
    fn default() -> Self {
        Self {
            source: String::new(),
            form: String::new(),
            encoding: String::new(),
            delimiter: String::new(),
            columns: BTreeMap::new(),
            on_known: Some(OnKnown::Skip),
        }
    }
}

/// Settings that can be used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// Channel of rows that name none, empty if they all must.
    pub source: String,
    /// `forms/{form}` of rows that name none, or empty.
    pub form: String,
    /// How the table is written.
    pub dialect: Dialect,
    /// Fields by what headings are compared by.
    pub columns: BTreeMap<String, Field>,
    /// What rows do to known leads.
    pub on_known: OnKnown,
}

impl Settings {
    /// Checks settings. Fields of the violations start with `settings.`.
    ///
    /// # Errors
    /// Returns everything that is wrong with them.
    pub fn parse(raw: &RawSettings) -> Result<Self, Vec<Violation>> {
        let mut violations = Violations::default();
        let form: Option<FormId> = violations.optional_name("settings.form", &raw.form);
        let mut settings = Self {
            source: violations.line("settings.source", &raw.source, 0..=64),
            form: form.map(|form| form.to_string()).unwrap_or_default(),
            ..Self::default()
        };
        if !raw.encoding.is_empty() {
            settings.dialect.encoding = Encoding::find(&raw.encoding);
            if settings.dialect.encoding.is_none() {
                violations.add(
                    "settings.encoding",
                    "must be an encoding such as utf-8, gbk or utf-16le",
                );
            }
        }
        if !raw.delimiter.is_empty() {
            let known = DELIMITERS
                .into_iter()
                .find(|known| raw.delimiter.as_bytes() == [*known]);
            settings.dialect.delimiter = known;
            if known.is_none() {
                violations.add("settings.delimiter", "must be a comma, a semicolon or a tab");
            }
        }
        match raw.on_known {
            Some(on_known) => settings.on_known = on_known,
            None => violations.add("settings.on_known", "must be SKIP, FILL or OVERWRITE"),
        }
        if raw.columns.len() > MAX_CELLS {
            violations.add("settings.columns", format!("must be at most {MAX_CELLS}"));
            return Err(violations.into_vec());
        }
        for (heading, field) in &raw.columns {
            let place = format!("settings.columns[{heading}]");
            match Field::find(field) {
                None => {
                    let known = Field::names().collect::<Vec<_>>().join(", ");
                    violations.add(place, format!("must be one of {known}"));
                }
                Some(field) if field.is_single() && settings.columns.values().any(|other| *other == field) => {
                    violations.add(place, format!("is the second heading of {}", field.name()));
                }
                Some(field) => {
                    if settings.columns.insert(heading_key(heading), field).is_some() {
                        violations.add(place, "is given twice");
                    }
                }
            }
        }
        if violations.is_empty() {
            Ok(settings)
        } else {
            Err(violations.into_vec())
        }
    }

    /// Returns a digest that differs for other settings.
    pub(super) fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        let mut add = |text: &str| {
            digest.update(text.len().to_le_bytes());
            digest.update(text);
        };
        add(&self.source);
        add(&self.form);
        add(self.dialect.encoding.map(Encoding::name).unwrap_or_default());
        add(self
            .dialect
            .delimiter
            .map(char::from)
            .map(String::from)
            .unwrap_or_default()
            .as_str());
        for (heading, field) in &self.columns {
            add(heading);
            add(field.name());
        }
        if self.on_known != OnKnown::Skip {
            add(self.on_known.as_str());
        }
        digest.finalize().into()
    }
}
