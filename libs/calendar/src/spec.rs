//! The calendar as a person writes it, in YAML or JSON.

use std::collections::BTreeMap;
use std::fmt;

use jiff::civil::Date;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// A working calendar as written; [`crate::WorkingCalendar`] checks and compiles it.
///
/// ```
/// let spec = reflex_calendar::CalendarSpec::parse(
///     r#"
///     time_zone: Asia/Shanghai
///     days: Mon-Fri
///     windows: [["09:00", "12:00"], ["13:00", "18:00"]]
///     per_day: {Sat: [["09:00", "12:00"]]}
///     statutory: CN
///     extra_off: [2026-12-31]
///     "#,
/// )?;
/// # Ok::<(), reflex_calendar::SpecError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalendarSpec {
    /// IANA name of the zone in which the windows are wall-clock times.
    pub time_zone: String,
    /// Weekdays on which `windows` apply: names (`Mon`, `Monday`) and ranges (`Mon-Fri`); Monday to Friday if absent.
    #[serde(default = "monday_to_friday", deserialize_with = "one_or_many")]
    pub days: Vec<String>,
    /// Open windows as `[start, end]` in `HH:MM`; an end at or before the start is on the next day, `24:00` is midnight.
    #[serde(default)]
    pub windows: Vec<[String; 2]>,
    /// Windows of single weekdays (or ranges of them), in place of `windows`; an empty list closes the day.
    #[serde(default)]
    pub per_day: BTreeMap<String, Vec<[String; 2]>>,
    /// Region whose statutory table applies, such as `CN`; absent or `none` for no statutory days.
    #[serde(default)]
    pub statutory: Option<String>,
    /// Dates closed in any case.
    #[serde(default)]
    pub extra_off: Vec<Date>,
    /// Dates open although their weekday or a holiday would close them; `extra_off` wins over it.
    #[serde(default)]
    pub extra_on: Vec<Date>,
}

/// Why a calendar is refused; every message begins with the key it speaks of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// The text is neither YAML nor JSON of the expected shape.
    #[error("calendar cannot be read: {0}")]
    Syntax(String),
    /// The zone is not in the time zone database.
    #[error("time_zone: {zone:?} is not an IANA time zone such as Asia/Shanghai")]
    UnknownTimeZone {
        /// The name as written.
        zone: String,
    },
    /// A weekday or a range of weekdays cannot be read.
    #[error("{key}: {text:?} is not a weekday (Mon, Tue, Wed, Thu, Fri, Sat, Sun) or a range such as Mon-Fri")]
    Weekday {
        /// Where it stands, such as `days[0]`.
        key: String,
        /// The text as written.
        text: String,
    },
    /// Two keys of `per_day` speak of the same weekday.
    #[error("{key}: another key of per_day names the same weekday")]
    RepeatedWeekday {
        /// The later of the two keys.
        key: String,
    },
    /// A time of day cannot be read.
    #[error("{key}: {text:?} is not a time of day (HH:MM from 00:00 to 23:59, or 24:00 as an end)")]
    TimeOfDay {
        /// Where it stands, such as `windows[1][0]`.
        key: String,
        /// The text as written.
        text: String,
    },
    /// Two windows of the same day overlap.
    #[error("{key}: {later} overlaps {earlier}")]
    Overlap {
        /// The list they stand in, such as `windows` or `per_day.Sat`.
        key: String,
        /// The window that opens first.
        earlier: String,
        /// The window that opens before the first has closed.
        later: String,
    },
    /// There is no statutory table for the region.
    #[error("statutory: there is no table for {region:?} (use CN or none)")]
    NoStatutoryTable {
        /// The region as written.
        region: String,
    },
    /// No weekday and no extra day is ever open.
    #[error("windows: the calendar has no working minute; give windows for some of the days, per_day, or extra_on")]
    NeverOpen,
}

impl CalendarSpec {
    /// Reads a calendar from YAML or JSON.
    ///
    /// # Errors
    ///
    /// [`SpecError::Syntax`], with key and position, when a field is unknown, missing or of another type.
    pub fn parse(text: &str) -> Result<Self, SpecError> {
        serde_norway::from_str(text).map_err(|error| SpecError::Syntax(error.to_string()))
    }

    /// Returns the region whose statutory days apply, if any.
    #[must_use]
    pub fn statutory_region(&self) -> Option<&str> {
        self.statutory
            .as_deref()
            .filter(|region| !region.eq_ignore_ascii_case("none"))
    }
}

fn monday_to_friday() -> Vec<String> {
    vec!["Mon-Fri".to_owned()]
}

/// Reads a list of texts, or one text with commas (`Mon-Fri, Sun`).
fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    struct OneOrMany;

    impl<'de> Visitor<'de> for OneOrMany {
        type Value = Vec<String>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a list of weekdays such as [Mon, Tue] or a range such as Mon-Fri")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(text.split(',').map(|day| day.trim().to_owned()).collect())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, sequence: A) -> Result<Self::Value, A::Error> {
            Vec::deserialize(SeqAccessDeserializer::new(sequence))
        }

        fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
            Err(E::invalid_type(serde::de::Unexpected::Unit, &self))
        }
    }

    deserializer
        .deserialize_any(OneOrMany)
        .map_err(|error| D::Error::custom(format!("days: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn yaml_and_json_read_the_same() {
        let yaml = "
time_zone: Asia/Shanghai
days: Mon-Fri, Sun
windows:
  - [09:00, 12:00]
  - ['13:00', '18:00']
per_day:
  Sat: [['22:00', '06:00']]
  Sun: []
statutory: CN
extra_off: [2026-12-31]
extra_on:
";
        let json = r#"{"time_zone": "Asia/Shanghai", "days": ["Mon-Fri", "Sun"],
	"windows": [["09:00", "12:00"], ["13:00", "18:00"]], "per_day": {"Sat": [["22:00", "06:00"]], "Sun": []},
	"statutory": "CN", "extra_off": ["2026-12-31"]}"#;
        let spec = CalendarSpec::parse(yaml).expect("yaml");
        assert_eq!(spec, CalendarSpec::parse(json).expect("json"));
        assert_eq!(spec.days, ["Mon-Fri", "Sun"]);
        assert_eq!(spec.extra_off, [date(2026, 12, 31)]);
        assert_eq!(spec.statutory_region(), Some("CN"));
        let written = serde_norway::to_string(&spec).expect("yaml");
        assert_eq!(CalendarSpec::parse(&written).expect("yaml"), spec);
    }

    #[test]
    fn absent_fields_mean_an_ordinary_week_without_statutory_days() {
        let spec = CalendarSpec::parse("time_zone: UTC").expect("yaml");
        assert_eq!(spec.days, ["Mon-Fri"]);
        for text in [
            "time_zone: UTC",
            "time_zone: UTC\nstatutory: none",
            "time_zone: UTC\nstatutory: null",
        ] {
            assert_eq!(
                CalendarSpec::parse(text).expect(text).statutory_region(),
                None,
                "{text}"
            );
        }
    }

    #[test]
    fn syntax_errors_name_key_and_position() {
        let cases = [
            ("", "time_zone"),
            ("days: Mon-Fri", "missing field `time_zone`"),
            ("time_zone: UTC\nwindow: []", "unknown field `window`"),
            ("time_zone: UTC\nwindows: [[\"09:00\"]]", "windows[0]"),
            ("time_zone: UTC\nwindows: [[\"09:00\", [18]]]", "windows[0][1]"),
            ("time_zone: UTC\nextra_off: [2026-02-28, 2026-02-30]", "extra_off[1]"),
            ("time_zone: UTC\ndays: 5", "days"),
            ("time_zone: UTC\nper_day: {Sat: 9}", "per_day.Sat"),
            ("{\"time_zone\": ", "line 2 column 1"),
        ];
        for (text, expected) in cases {
            let error = CalendarSpec::parse(text).expect_err(text).to_string();
            assert!(error.contains(expected), "{text:?} gave {error:?}");
        }
    }
}
