//! Calendar months, which costs are borne by and reports are about.

use std::{fmt, str::FromStr};

use jiff::{Timestamp, civil::Date, tz::TimeZone};

/// Most months of a period.
pub const MAX_MONTHS: i32 = 120;

/// A month, counted from January of the year 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month(i32);

/// A text is no month.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be a month such as \"2026-11\", between 2000-01 and 2199-12")]
pub struct InvalidMonth;

impl Month {
    const FIRST: i32 = 2000 * 12;
    const LAST: i32 = 2199 * 12 + 11;

    /// Returns the month of an instant.
    #[must_use]
    pub fn of(at: Timestamp, zone: &TimeZone) -> Self {
        let date = at.to_zoned(zone.clone()).date();
        Self(i32::from(date.year()) * 12 + i32::from(date.month()) - 1)
    }

    /// Returns it as tables keep it.
    #[must_use]
    pub fn number(self) -> i32 {
        self.0
    }

    /// Returns the month of a table's number.
    #[must_use]
    pub fn of_number(number: i32) -> Self {
        Self(number)
    }

    /// Returns its first instant.
    #[must_use]
    pub fn start(self, zone: &TimeZone) -> Timestamp {
        let (year, month) = (self.0.div_euclid(12), self.0.rem_euclid(12) + 1);
        let parts = i16::try_from(year).ok().zip(i8::try_from(month).ok());
        let date = parts.and_then(|(year, month)| Date::new(year, month, 1).ok());
        let start = date.and_then(|date| date.to_zoned(zone.clone()).ok());
        start.map_or(Timestamp::MAX, |start| start.timestamp())
    }
}

impl fmt::Display for Month {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{:04}-{:02}",
            self.0.div_euclid(12),
            self.0.rem_euclid(12) + 1
        )
    }
}

impl FromStr for Month {
    type Err = InvalidMonth;

    fn from_str(text: &str) -> Result<Self, InvalidMonth> {
        let (year, month) = text.split_once('-').ok_or(InvalidMonth)?;
        let year: i32 = year.parse().map_err(|_| InvalidMonth)?;
        let month: i32 = month.parse().map_err(|_| InvalidMonth)?;
        let parsed = Self(year.saturating_mul(12).saturating_add(month).saturating_sub(1));
        // Printing it again refuses a thirteenth month, signs and missing zeros.
        let fits = (Self::FIRST..=Self::LAST).contains(&parsed.0) && parsed.to_string() == text;
        fits.then_some(parsed).ok_or(InvalidMonth)
    }
}

/// Some months in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// The first month.
    pub first: Month,
    /// The last month, not before the first.
    pub last: Month,
}

impl Period {
    /// Returns how many months it has.
    #[must_use]
    pub fn months(self) -> i32 {
        self.last.0 - self.first.0 + 1
    }

    /// Returns its first instant, and the first one after it.
    #[must_use]
    pub fn bounds(self, zone: &TimeZone) -> (Timestamp, Timestamp) {
        (self.first.start(zone), Month(self.last.0 + 1).start(zone))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_read_as_they_are_written() {
        for text in ["2026-11", "2000-01", "2199-12"] {
            assert_eq!(text.parse::<Month>().unwrap().to_string(), text);
        }
        for bad in [
            "",
            "2026",
            "2026-13",
            "2026-00",
            "2026-1",
            "+2026-01",
            "1999-12",
            "2200-01",
            "2026-11-01",
            "99999999999-01",
        ] {
            assert_eq!(bad.parse::<Month>(), Err(InvalidMonth), "{bad:?}");
        }
    }

    #[test]
    fn months_begin_where_people_are() {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let period = Period {
            first: "2026-11".parse().unwrap(),
            last: "2026-12".parse().unwrap(),
        };
        assert_eq!(period.months(), 2);
        let (start, end) = period.bounds(&zone);
        assert_eq!(start, "2026-11-01T00:00:00+08:00".parse().unwrap());
        assert_eq!(end, "2027-01-01T00:00:00+08:00".parse().unwrap());
        assert_eq!(Month::of(start, &zone), period.first);
        assert_eq!(Month::of(start, &TimeZone::UTC), "2026-10".parse().unwrap());
    }
}
