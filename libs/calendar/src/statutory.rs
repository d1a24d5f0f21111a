//! Statutory holidays and make-up workdays as a country publishes them, year by year.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// The table shipped with the crate; `data/README.md` names its source and licence.
static CHINA: LazyLock<Arc<StatutoryTable>> = LazyLock::new(|| {
    let table = StatutoryTable::parse(include_str!("../data/cn_holidays_2024_2026.json"));
    Arc::new(table.expect("the embedded table is read by the tests"))
});

/// The statutory days of one region.
///
/// A year counts as covered only when it is listed and has at least one holiday: a file that lists a year with no holidays
/// was written before the notice for that year appeared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "StatutoryFile", into = "StatutoryFile")]
pub struct StatutoryTable {
    region: String,
    years: BTreeSet<i16>,
    days: BTreeMap<Date, StatutoryDay>,
}

/// What the notice says of a date it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatutoryDay {
    /// A day off.
    Holiday {
        /// The holiday's name, as published.
        name: String,
    },
    /// A weekend day worked in exchange for a day off (调休).
    MakeupWorkday {
        /// The name of the holiday it pays for.
        name: String,
    },
}

/// Why a statutory table is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatutoryError {
    /// The text is not JSON of the expected shape.
    #[error("statutory table cannot be read: {0}")]
    Syntax(String),
    /// A date has two meanings.
    #[error("statutory table of {region}: {date} is listed twice")]
    RepeatedDate {
        /// The table's region.
        region: String,
        /// The date listed twice.
        date: Date,
    },
    /// Two tables of different regions cannot be merged.
    #[error("a statutory table of {newer} cannot be merged into the one of {region}")]
    OtherRegion {
        /// The region of the table that stays.
        region: String,
        /// The region of the table that was to be merged.
        newer: String,
    },
}

impl StatutoryTable {
    /// Returns the shipped table of mainland China.
    #[must_use]
    pub fn china() -> Arc<Self> {
        Arc::clone(&CHINA)
    }

    /// Reads a table from JSON: `region`, `years`, `holidays[]` and `makeup_workdays[]` with `date` and `name`.
    ///
    /// # Errors
    ///
    /// [`StatutoryError::Syntax`], with the position, when the text is not such a table or lists a date twice.
    pub fn parse(json: &str) -> Result<Self, StatutoryError> {
        serde_json::from_str(json).map_err(|error| StatutoryError::Syntax(error.to_string()))
    }

    /// Builds a table from its days; a year without any holiday among them stays unknown.
    ///
    /// # Errors
    ///
    /// [`StatutoryError::RepeatedDate`] when a date occurs twice.
    pub fn new(
        region: impl Into<String>,
        years: impl IntoIterator<Item = i16>,
        days: impl IntoIterator<Item = (Date, StatutoryDay)>,
    ) -> Result<Self, StatutoryError> {
        let region = region.into();
        let mut by_date = BTreeMap::new();
        for (date, day) in days {
            if by_date.insert(date, day).is_some() {
                return Err(StatutoryError::RepeatedDate { region, date });
            }
        }
        let has_holiday = |year| {
            by_date
                .iter()
                .any(|(date, day)| date.year() == year && matches!(day, StatutoryDay::Holiday { .. }))
        };
        let years = years.into_iter().filter(|&year| has_holiday(year)).collect();
        Ok(Self {
            region,
            years,
            days: by_date,
        })
    }

    /// Takes over every year that `newer` covers, replacing what this table said of it.
    ///
    /// Days outside the years a notice covers are added without replacing the rest of their year: a New Year's notice may
    /// move days of the December before.
    ///
    /// # Errors
    ///
    /// [`StatutoryError::OtherRegion`] when the tables speak of different regions.
    pub fn merge(&mut self, newer: Self) -> Result<(), StatutoryError> {
        if self.region != newer.region {
            return Err(StatutoryError::OtherRegion {
                region: self.region.clone(),
                newer: newer.region,
            });
        }
        self.days.retain(|date, _| !newer.years.contains(&date.year()));
        self.years.extend(newer.years);
        self.days.extend(newer.days);
        Ok(())
    }

    /// Returns the region, such as `CN`.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Lists the covered years in ascending order.
    pub fn years(&self) -> impl Iterator<Item = i16> + '_ {
        self.years.iter().copied()
    }

    /// Tells whether the notice for `year` is in the table.
    #[must_use]
    pub fn covers(&self, year: i16) -> bool {
        self.years.contains(&year)
    }

    /// Returns what the table says of `date`; `None` leaves the weekday to decide, or is unknown where the year is not covered.
    #[must_use]
    pub fn day(&self, date: Date) -> Option<&StatutoryDay> {
        self.days.get(&date)
    }

    /// Lists the named days in ascending order.
    pub fn days(&self) -> impl Iterator<Item = (Date, &StatutoryDay)> {
        self.days.iter().map(|(&date, day)| (date, day))
    }
}

/// The published shape of a table.
#[derive(Serialize, Deserialize)]
struct StatutoryFile {
    region: String,
    years: Vec<i16>,
    holidays: Vec<NamedDate>,
    #[serde(default)]
    makeup_workdays: Vec<NamedDate>,
}

#[derive(Serialize, Deserialize)]
struct NamedDate {
    date: Date,
    #[serde(default)]
    name: String,
}

impl TryFrom<StatutoryFile> for StatutoryTable {
    type Error = StatutoryError;

    fn try_from(file: StatutoryFile) -> Result<Self, StatutoryError> {
        let holidays = file
            .holidays
            .into_iter()
            .map(|NamedDate { date, name }| (date, StatutoryDay::Holiday { name }));
        let makeup = file
            .makeup_workdays
            .into_iter()
            .map(|NamedDate { date, name }| (date, StatutoryDay::MakeupWorkday { name }));
        Self::new(file.region, file.years, holidays.chain(makeup))
    }
}

impl From<StatutoryTable> for StatutoryFile {
    fn from(table: StatutoryTable) -> Self {
        let mut file = Self {
            region: table.region,
            years: table.years.into_iter().collect(),
            holidays: Vec::new(),
            makeup_workdays: Vec::new(),
        };
        for (date, day) in table.days {
            match day {
                StatutoryDay::Holiday { name } => file.holidays.push(NamedDate { date, name }),
                StatutoryDay::MakeupWorkday { name } => file.makeup_workdays.push(NamedDate { date, name }),
            }
        }
        file
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::{Weekday, date};

    fn holiday(name: &str) -> StatutoryDay {
        StatutoryDay::Holiday { name: name.into() }
    }

    fn working_days(table: &StatutoryTable, year: i16) -> usize {
        date(year, 1, 1)
            .series(jiff::Span::new().days(1))
            .take_while(|day| day.year() == year)
            .filter(|&day| match table.day(day) {
                Some(StatutoryDay::Holiday { .. }) => false,
                Some(StatutoryDay::MakeupWorkday { .. }) => true,
                None => !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday),
            })
            .count()
    }

    #[test]
    fn shipped_table_has_the_published_number_of_working_days() {
        let table = StatutoryTable::china();
        assert_eq!(table.region(), "CN");
        assert_eq!(table.years().collect::<Vec<_>>(), [2024, 2025, 2026]);
        let published: serde_json::Value =
            serde_json::from_str(include_str!("../data/cn_holidays_2024_2026.json")).expect("json");
        for year in table.years() {
            let expected = published["working_days"][year.to_string()]
                .as_u64()
                .expect("working_days");
            assert_eq!(working_days(&table, year) as u64, expected, "{year}");
        }
        assert_eq!(table.day(date(2026, 2, 17)), Some(&holiday("春节")));
    }

    #[test]
    fn a_listed_year_without_holidays_is_not_covered() {
        let table = StatutoryTable::parse(r#"{"region":"CN","years":[2026,2027],"holidays":[{"date":"2026-01-01"}]}"#)
            .expect("table");
        assert_eq!(table.years().collect::<Vec<_>>(), [2026]);
        assert!(!table.covers(2027));
    }

    #[test]
    fn merging_replaces_whole_years_and_keeps_the_others() {
        let mut table = StatutoryTable::new(
            "CN",
            [2025, 2026],
            [
                (date(2025, 1, 1), holiday("a")),
                (date(2026, 1, 1), holiday("b")),
                (date(2026, 5, 1), holiday("c")),
            ],
        )
        .expect("table");
        let newer = StatutoryTable::new(
            "CN",
            [2026, 2027],
            [(date(2025, 12, 31), holiday("d")), (date(2026, 1, 2), holiday("e"))],
        )
        .expect("table");
        table.merge(newer).expect("same region");
        assert_eq!(table.years().collect::<Vec<_>>(), [2025, 2026]);
        let days: Vec<_> = table.days().map(|(day, _)| day).collect();
        assert_eq!(days, [date(2025, 1, 1), date(2025, 12, 31), date(2026, 1, 2)]);

        let empty = StatutoryTable::new("CN", [2026], []).expect("table");
        table.merge(empty).expect("same region");
        assert!(table.covers(2026), "a file without holidays must not wipe a known year");
        let other = StatutoryTable::new("HK", [2026], []).expect("table");
        assert_eq!(
            table.merge(other),
            Err(StatutoryError::OtherRegion {
                region: "CN".into(),
                newer: "HK".into()
            })
        );
    }

    #[test]
    fn bad_tables_are_refused_with_the_reason() {
        let twice = r#"{"region":"CN","years":[2026],"holidays":[{"date":"2026-01-01"}],"makeup_workdays":[{"date":"2026-01-01"}]}"#;
        let cases = [
            (twice, "2026-01-01 is listed twice"),
            (r#"{"region":"CN","holidays":[]}"#, "missing field `years`"),
            (
                r#"{"region":"CN","years":[2026],"holidays":[{"date":"2026-02-30"}]}"#,
                "line 1 column",
            ),
        ];
        for (json, expected) in cases {
            let error = StatutoryTable::parse(json).expect_err(json).to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_table_survives_being_written_and_read() {
        let table = StatutoryTable::china();
        let json = serde_json::to_string(&*table).expect("json");
        assert_eq!(StatutoryTable::parse(&json).expect("table"), *table);
    }
}
