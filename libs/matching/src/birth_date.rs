//! Birth dates, whole or as somebody mistyped them.

use crate::text::fold;

/// How two dates relate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateLikeness {
    /// The same.
    Same,
    /// One digit or two neighbours apart, or day and month have changed places.
    Near,
    /// They are different.
    Other,
}

/// Returns a date as year, month and day in eight digits; what is none of the usual forms as the digits it has.
#[must_use]
pub fn parse(text: &str) -> Option<String> {
    let folded = fold(text);
    let groups: Vec<&str> = folded
        .split(|char: char| !char.is_ascii_digit())
        .filter(|group| !group.is_empty())
        .take(3)
        .collect();
    let date = match groups[..] {
        [year, month, day] if year.len() == 4 => format!("{year}{month:0>2}{day:0>2}"),
        // A month cannot be above twelve; where both can be one, the day comes first.
        [first, second, year] if year.len() == 4 && second.parse().is_ok_and(|second: u32| second > 12) => {
            format!("{year}{first:0>2}{second:0>2}")
        }
        [day, month, year] if year.len() == 4 => format!("{year}{month:0>2}{day:0>2}"),
        _ => groups.concat(),
    };
    (4..=8).contains(&date.len()).then_some(date)
}

/// Compares two dates.
#[must_use]
pub fn compare(left: &str, right: &str) -> DateLikeness {
    if left == right {
        return DateLikeness::Same;
    }
    let parts = |date: &str| Some([date.get(..4)?, date.get(4..6)?, date.get(6..8)?].map(str::to_owned));
    let is_swapped = left.get(..4) == right.get(..4)
        && matches!((parts(left), parts(right)), (Some([_, month, day]), Some([_, other_month, other_day])) if month == other_day && day == other_month);
    if is_swapped || crate::similarity::is_slip(left, right) {
        DateLikeness::Near
    } else {
        DateLikeness::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_and_compared() {
        for (text, date) in [
            ("19530403", Some("19530403")),
            ("1953-4-3", Some("19530403")),
            ("1953年4月3日", Some("19530403")),
            ("3/4/1953", Some("19530403")),
            ("4/13/1953", Some("19530413")),
            ("", None),
            ("?", None),
        ] {
            assert_eq!(parse(text).as_deref(), date, "{text}");
        }
        assert_eq!(compare("19530403", "19530403"), DateLikeness::Same);
        assert_eq!(compare("19530403", "19530304"), DateLikeness::Near);
        assert_eq!(compare("19530403", "19530430"), DateLikeness::Near);
        assert_eq!(compare("19530403", "19540413"), DateLikeness::Other);
    }
}
