//! Until when a call has to be answered.

use std::time::{Duration, Instant};

use http::HeaderMap;

/// The deadline was over before the call arrived.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Passed;

/// Returns the earlier of what the caller asks for and `ceiling`.
pub(crate) fn of(headers: &HeaderMap, ceiling: Option<Duration>) -> Result<Option<Instant>, Passed> {
    let asked = asked_by(headers);
    if asked == Some(Duration::ZERO) {
        return Err(Passed);
    }
    let limit = match (asked, ceiling) {
        (Some(asked), Some(ceiling)) => Some(asked.min(ceiling)),
        (asked, ceiling) => asked.or(ceiling),
    };
    // A deadline that no clock can show is none.
    Ok(limit.and_then(|limit| Instant::now().checked_add(limit)))
}

/// Returns how long the caller of a request waits.
pub(crate) fn asked_by(headers: &HeaderMap) -> Option<Duration> {
    headers
        .get("grpc-timeout")
        .and_then(|value| parse(value.to_str().ok()?))
}

/// Reads the time-out of the gRPC specification: at most eight digits and a unit. A malformed one is none.
fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3_600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_outs_are_read_as_specified() {
        for (text, expected) in [
            ("1H", Some(3_600_000)),
            ("2M", Some(120_000)),
            ("3S", Some(3_000)),
            ("40m", Some(40)),
            ("5000u", Some(5)),
            ("6000000n", Some(6)),
            ("99999999H", Some(359_999_996_400_000)),
            ("0m", Some(0)),
        ] {
            assert_eq!(parse(text), expected.map(Duration::from_millis), "{text}");
        }
        for malformed in [
            "",
            "S",
            "1",
            "1s",
            "-1S",
            "+1S",
            "1.5S",
            "123456789S",
            "1 S",
            "一S",
            "S1",
        ] {
            assert_eq!(parse(malformed), None, "{malformed:?}");
        }
    }

    #[test]
    fn the_earlier_limit_counts() {
        let with = |timeout: &str| {
            HeaderMap::from_iter([(http::HeaderName::from_static("grpc-timeout"), timeout.parse().unwrap())])
        };
        let left = |headers: &HeaderMap, ceiling| {
            of(headers, ceiling)
                .map(|at| at.map(|at| at.saturating_duration_since(Instant::now()).as_secs_f64().round()))
        };
        let ten = Some(Duration::from_secs(10));
        assert_eq!(left(&HeaderMap::new(), ten), Ok(Some(10.0)));
        assert_eq!(left(&HeaderMap::new(), None), Ok(None));
        assert_eq!(left(&with("3S"), ten), Ok(Some(3.0)));
        assert_eq!(left(&with("30S"), ten), Ok(Some(10.0)));
        assert_eq!(left(&with("30S"), None), Ok(Some(30.0)));
        assert_eq!(left(&with("soon"), ten), Ok(Some(10.0)));
        assert_eq!(left(&with("0n"), ten), Err(Passed));
    }
}
