//! What chats have in common: they answer HTTP 200 with a business code, and take texts of a size.

use std::time::Duration;

use serde::{Deserialize, de::DeserializeOwned};

use super::{Button, Fault, Outcome, http::Answer};

/// Stands where a text was cut.
pub(super) const CUT: &str = "…(截断)";
/// Longest part of the robot's own words that goes into the ledger.
const MAX_REASON_CHARS: usize = 200;

/// What to do about a business code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Delivered,
    Retry,
    /// Not before this is over, and this message alone.
    RetryAfter(Duration),
    /// Send nothing for this long.
    Limit(Duration),
    GiveUp(Fault),
}

#[derive(Deserialize)]
struct Business {
    #[serde(alias = "code")]
    errcode: i64,
    #[serde(default, alias = "msg")]
    errmsg: String,
}

/// Reads an answer; `verdict` knows the robot's codes.
pub(super) fn judge(answer: &Answer, latency: Duration, verdict: impl Fn(i64, &str) -> Verdict) -> Outcome {
    let Business { errcode, errmsg } = match business(answer) {
        Ok(business) => business,
        Err(outcome) => return outcome,
    };
    conclude(
        errcode.to_string(),
        &errmsg,
        verdict(errcode, &errmsg),
        answer.retry_after,
        latency,
    )
}

/// Reads the JSON of an answer, or tells what it means that there is none.
pub(super) fn business<T: DeserializeOwned>(answer: &Answer) -> Result<T, Outcome> {
    let status = answer.status;
    let http_code = format!("http_{}", status.as_u16());
    if status.is_server_error() || matches!(status.as_u16(), 408 | 429) {
        return Err(Outcome::RetryLater {
            provider_code: http_code,
            reason: "the provider is overloaded or failing".into(),
            after: answer.retry_after,
        });
    }
    serde_json::from_slice(&answer.body).map_err(|_invalid| {
        if status.is_client_error() {
            Outcome::GiveUp {
                provider_code: http_code,
                reason: "the address is not the provider's".into(),
                fault: Fault::Endpoint,
            }
        } else {
            Outcome::RetryLater {
                provider_code: "malformed".into(),
                reason: "the answer is not the provider's JSON".into(),
                after: None,
            }
        }
    })
}

/// Returns what came of an answer that was read.
pub(super) fn conclude(
    provider_code: String,
    text: &str,
    verdict: Verdict,
    retry_after: Option<Duration>,
    latency: Duration,
) -> Outcome {
    let reason = shorten(text, MAX_REASON_CHARS);
    match verdict {
        Verdict::Delivered => Outcome::Delivered { provider_code, latency },
        Verdict::Retry => Outcome::RetryLater {
            provider_code,
            reason,
            after: retry_after,
        },
        Verdict::RetryAfter(wait) => Outcome::RetryLater {
            provider_code,
            reason,
            after: Some(wait),
        },
        Verdict::Limit(locked_for) => Outcome::LimitHit {
            provider_code,
            reason,
            locked_for,
        },
        Verdict::GiveUp(fault) => Outcome::GiveUp {
            provider_code,
            reason,
            fault,
        },
    }
}

/// Writes buttons as links of Markdown in a paragraph of their own; nothing without buttons.
pub(super) fn links(actions: &[Button]) -> String {
    if actions.is_empty() {
        return String::new();
    }
    let links = actions
        .iter()
        .map(|button| format!("[{}]({})", button.label, button.url));
    format!("\n\n{}", links.collect::<Vec<_>>().join(" | "))
}

/// Cuts a line to a number of characters.
pub(super) fn shorten(line: &str, max_chars: usize) -> String {
    if line.chars().count() <= max_chars {
        return line.to_owned();
    }
    line.chars().take(max_chars - 1).chain(['…']).collect()
}

/// Returns the longest beginning whose JSON form takes at most `room_bytes`.
pub(super) fn fitting(text: &str, room_bytes: usize) -> &str {
    let mut used = 0;
    for (position, char) in text.char_indices() {
        used += json_bytes(char);
        if used > room_bytes {
            return &text[..position];
        }
    }
    text
}

/// Counts the bytes of a character inside a JSON string, as `serde_json` writes it.
fn json_bytes(char: char) -> usize {
    match char {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..='\u{1f}' => 6,
        _ => char.len_utf8(),
    }
}
