//! How long a caller waits: `x-timeout-ms` for people, `grpc-timeout` for whoever speaks gRPC elsewhere.

use std::time::Duration;

use http::HeaderMap;
use tokio::time::Instant;

use crate::problem::Problem;

const MILLISECONDS: &str = "x-timeout-ms";
const GRPC: &str = "grpc-timeout";
/// The standard allows eight digits.
const MAX_GRPC_DIGITS: usize = 8;

/// Reads how long the caller waits; `None` when it does not say. With both headers the shorter one counts.
pub(crate) fn asked_timeout(headers: &HeaderMap) -> Result<Option<Duration>, Problem> {
    let milliseconds = read(
        headers,
        MILLISECONDS,
        "must be a number of milliseconds, from 1",
        |text| text.parse().ok().map(Duration::from_millis),
    )?;
    let grpc = read(
        headers,
        GRPC,
        "must be up to eight digits and a unit of H, M, S, m, u, n",
        grpc_timeout,
    )?;
    Ok(milliseconds.into_iter().chain(grpc).min())
}

/// Returns the instant after which nobody waits any more, at most `longest` from now.
pub(crate) fn of(asked: Option<Duration>, default: Duration, longest: Duration) -> Instant {
    Instant::now() + asked.unwrap_or(default).min(longest)
}

fn read(
    headers: &HeaderMap,
    name: &'static str,
    expected: &'static str,
    parse: impl Fn(&str) -> Option<Duration>,
) -> Result<Option<Duration>, Problem> {
    let Some(value) = headers.get(name) else {
        return Ok(None);
    };
    let duration = value.to_str().ok().and_then(parse);
    let duration = duration.filter(|duration| !duration.is_zero());
    duration.map(Some).ok_or_else(|| Problem::invalid_field(name, expected))
}

fn grpc_timeout(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let digits = &text[..text.len() - unit.len_utf8()];
    if digits.is_empty() || digits.len() > MAX_GRPC_DIGITS || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    match unit {
        'H' => Some(Duration::from_secs(count * 3_600)),
        'M' => Some(Duration::from_secs(count * 60)),
        'S' => Some(Duration::from_secs(count)),
        'm' => Some(Duration::from_millis(count)),
        'u' => Some(Duration::from_micros(count)),
        'n' => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(pairs: &[(&'static str, &str)]) -> Result<Option<Duration>, Problem> {
        let headers = pairs.iter().map(|&(name, value)| {
            let name = http::HeaderName::from_static(name);
            (name, value.parse().unwrap())
        });
        asked_timeout(&headers.collect())
    }

    #[test]
    fn both_headers_are_read_and_the_shorter_counts() {
        assert_eq!(asked(&[]).unwrap(), None);
        for (text, milliseconds) in [
            ("1H", 3_600_000),
            ("2M", 120_000),
            ("5S", 5_000),
            ("250m", 250),
            ("7000u", 7),
        ] {
            let expected = Duration::from_millis(milliseconds);
            assert_eq!(asked(&[(GRPC, text)]).unwrap(), Some(expected), "{text}");
        }
        assert_eq!(
            asked(&[(GRPC, "5S"), (MILLISECONDS, "70")]).unwrap(),
            Some(Duration::from_millis(70))
        );
    }

    #[test]
    fn malformed_timeouts_are_refused_by_name() {
        for (name, text) in [
            (MILLISECONDS, "0"),
            (MILLISECONDS, "-1"),
            (MILLISECONDS, "1.5"),
            (MILLISECONDS, "soon"),
            (GRPC, "5"),
            (GRPC, "S"),
            (GRPC, "123456789S"),
            (GRPC, "5x"),
            (GRPC, "+5S"),
            (GRPC, "0S"),
        ] {
            let problem = asked(&[(name, text)]).unwrap_err();
            assert_eq!(problem.json()["violations"][0]["field"], name, "{text}");
        }
    }
}
