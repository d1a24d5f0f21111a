//! Between wall-clock times and instants.

use jiff::civil::DateTime;
use jiff::fmt::temporal::Pieces;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, Zoned};

use crate::CalendarError;

/// Reads an instant: RFC 3339 with an offset, or a local date and time (`2026-02-13T16:00`, `2026-02-13`) meant in `zone`.
///
/// A local time in a repeated hour means its first occurrence, one in a skipped hour is moved forward by the skip.
///
/// # Errors
///
/// [`CalendarError::Instant`] when the text is neither.
pub fn parse_instant(text: &str, zone: &TimeZone) -> Result<Timestamp, CalendarError> {
    read_instant(text.trim(), zone).map_err(|error| CalendarError::Instant {
        text: text.to_owned(),
        reason: error.to_string(),
    })
}

fn read_instant(text: &str, zone: &TimeZone) -> Result<Timestamp, jiff::Error> {
    // The civil parser would silently drop an offset or a zone name, so what the text carries decides how it is read.
    let pieces = Pieces::parse(text)?;
    if pieces.time_zone_annotation().is_some() {
        return text.parse::<Zoned>().map(|zoned| zoned.timestamp());
    }
    if pieces.offset().is_some() {
        return text.parse();
    }
    zone.to_timestamp(text.parse::<DateTime>()?)
}

/// Returns the first instant at which the wall clock of `zone` shows `civil` or a later time.
///
/// Monotone in `civil`: windows that do not overlap on the wall clock never overlap as instants, whatever the clock does.
pub(crate) fn first_instant(zone: &TimeZone, civil: DateTime) -> Timestamp {
    let instant = match zone.to_ambiguous_timestamp(civil).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(civil),
        AmbiguousOffset::Fold { before, .. } => before.to_timestamp(civil),
        AmbiguousOffset::Gap { before, after } => {
            let latest = before.to_timestamp(civil);
            // The jump lies after the instant that the later offset gives, and at or before the one of the earlier offset.
            let jump = after
                .to_timestamp(civil)
                .ok()
                .and_then(|earliest| zone.following(earliest).find(|transition| transition.offset() == after));
            match (jump, latest) {
                (Some(jump), Ok(latest)) => Ok(jump.timestamp().min(latest)),
                (_, latest) => latest,
            }
        }
    };
    // Only the first and the last hours of the calendar (years -9999 and 9999) are no instants.
    instant.unwrap_or(if civil.year() < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_with_and_without_offset() {
        let shanghai = TimeZone::get("Asia/Shanghai").expect("bundled");
        let expected: Timestamp = "2026-02-13T08:00:00Z".parse().expect("literal");
        for text in [
            "2026-02-13T08:00:00Z",
            "2026-02-13T16:00:00+08:00",
            "2026-02-13T03:00-05:00",
            "2026-02-13T16:00:00",
            "2026-02-13T16:00",
            " 2026-02-13 16:00 ",
            "2026-02-13T09:00[Europe/Berlin]",
            "2026-02-13T09:00+01:00[Europe/Berlin]",
        ] {
            assert_eq!(parse_instant(text, &shanghai).expect(text), expected, "{text}");
        }
        let midnight = parse_instant("2026-02-13", &shanghai).expect("date");
        assert_eq!(midnight.to_string(), "2026-02-12T16:00:00Z");
        for text in [
            "",
            "tomorrow",
            "2026-02-30T10:00",
            "16:00",
            "2026-02-13T25:00",
            "2026-02-13T16:00+99:00",
        ] {
            let error = parse_instant(text, &shanghai).expect_err(text).to_string();
            assert!(error.contains(&format!("{text:?}")), "{error}");
        }
    }

    #[test]
    fn wall_clock_times_happen_once_and_in_order() {
        let cases = [
            ("Europe/Berlin", "2026-03-29T01:59", "2026-03-29T00:59:00Z"),
            ("Europe/Berlin", "2026-03-29T02:00", "2026-03-29T01:00:00Z"),
            ("Europe/Berlin", "2026-03-29T02:30", "2026-03-29T01:00:00Z"),
            ("Europe/Berlin", "2026-03-29T03:00", "2026-03-29T01:00:00Z"),
            ("Europe/Berlin", "2026-03-29T03:01", "2026-03-29T01:01:00Z"),
            ("Europe/Berlin", "2026-10-25T02:30", "2026-10-25T00:30:00Z"),
            ("Europe/Berlin", "2026-10-25T03:00", "2026-10-25T02:00:00Z"),
            ("Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-03T15:30:00Z"),
            ("Pacific/Apia", "2011-12-30T12:00", "2011-12-30T10:00:00Z"),
            ("Asia/Kolkata", "2026-01-01T00:00", "2025-12-31T18:30:00Z"),
        ];
        for (zone, civil, expected) in cases {
            let zone = TimeZone::get(zone).expect("bundled");
            let civil: DateTime = civil.parse().expect("literal");
            assert_eq!(first_instant(&zone, civil).to_string(), expected, "{civil}");
        }
        assert_eq!(first_instant(&TimeZone::UTC, DateTime::MAX), Timestamp::MAX);
        assert_eq!(first_instant(&TimeZone::UTC, DateTime::MIN), Timestamp::MIN);
    }
}
