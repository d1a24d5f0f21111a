//! Reads the bodies of requests, with limits on size and time.

use std::time::Duration;

use axum::body::{Body, Bytes};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use crate::problem::Problem;

/// Of a body that is refused, this much is read within this time: a client that is still sending when the connection
/// closes would see a reset instead of the answer.
const DISCARDED_BYTES: usize = 4 * 1024 * 1024;
const DISCARD_TIME: Duration = Duration::from_secs(1);

/// Reads a whole body of at most `limit` bytes that arrives within `time`.
pub(crate) async fn read(headers: &HeaderMap, mut body: Body, limit: usize, time: Duration) -> Result<Bytes, Problem> {
    if declared_length(headers).is_some_and(|length| length > limit as u64) {
        discard(&mut body).await;
        return Err(too_large(limit));
    }
    match tokio::time::timeout(time, Limited::new(&mut body, limit).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            discard(&mut body).await;
            Err(too_large(limit))
        }
        Ok(Err(_)) => Err(Problem::new(StatusCode::BAD_REQUEST, "the body ended early")),
        Err(_) => Err(too_slow()),
    }
}

/// Reads what is left of a body, within bounds.
pub(crate) async fn discard(body: &mut Body) {
    let rest = async {
        let mut left = DISCARDED_BYTES;
        while let Some(Ok(frame)) = body.frame().await {
            let length = frame.data_ref().map_or(0, Bytes::len);
            match left.checked_sub(length) {
                Some(less) => left = less,
                None => break,
            }
        }
    };
    let _read_or_given_up = tokio::time::timeout(DISCARD_TIME, rest).await;
}

pub(crate) fn too_large(limit: usize) -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!("the body has more than {limit} bytes"),
    )
}

pub(crate) fn too_slow() -> Problem {
    Problem::new(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time")
}

/// What a body is, by its content type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// JSON, also where nothing is said.
    Json,
    /// One JSON object a line.
    JsonLines,
    /// Plain text: what a page's `sendBeacon` says about JSON.
    Text,
    /// Fields of an HTML form.
    UrlEncoded,
    /// Anything else.
    Other,
}

/// Returns what the body of a request with these headers is.
pub(crate) fn kind(headers: &HeaderMap) -> Kind {
    let Some(value) = headers.get(CONTENT_TYPE).map(HeaderValue::to_str) else {
        return Kind::Json;
    };
    let media = value.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let is = |name: &str| media.eq_ignore_ascii_case(name);
    if is("application/json") {
        Kind::Json
    } else if is("application/x-ndjson") || is("application/jsonl") {
        Kind::JsonLines
    } else if is("text/plain") {
        Kind::Text
    } else if is("application/x-www-form-urlencoded") {
        Kind::UrlEncoded
    } else {
        Kind::Other
    }
}

fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_and_case_of_the_type_do_not_matter() {
        for (text, expected) in [
            ("application/json", Kind::Json),
            ("Application/JSON; charset=utf-8", Kind::Json),
            ("application/x-ndjson", Kind::JsonLines),
            ("text/plain;charset=UTF-8", Kind::Text),
            ("application/x-www-form-urlencoded", Kind::UrlEncoded),
            ("multipart/form-data; boundary=x", Kind::Other),
            ("", Kind::Other),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, text.parse().unwrap())]);
            assert_eq!(kind(&headers), expected, "{text}");
        }
        assert_eq!(kind(&HeaderMap::new()), Kind::Json);
    }
}
