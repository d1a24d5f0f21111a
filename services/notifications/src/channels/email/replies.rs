//! What each reply of a mail server means for us (RFC 5321, with the enhanced codes of RFC 3463).

use std::error::Error as _;
use std::time::Duration;

use lettre::transport::smtp::Error;

use crate::channels::{Fault, Outcome, robot::shorten};
use crate::domain::bounce::is_address_dead;

/// How long a server that finds us too busy is left alone.
const LOCK: Duration = Duration::from_mins(1);
/// Longest part of the server's words that goes into the ledger.
const MAX_REASON_CHARS: usize = 200;

/// Where in the conversation a reply came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Greeting, TLS, signing in: nobody is named yet.
    Greeting,
    Sender,
    Recipient,
    Words,
}

/// Tells what a refusal or a broken conversation means.
pub(super) fn judge(step: Step, error: &Error) -> Outcome {
    let text = error.source().map(ToString::to_string).unwrap_or_default();
    let Some(code) = error.status() else {
        return broken(step, error);
    };
    let reason = shorten(&without_addresses(&text), MAX_REASON_CHARS);
    of_code(step, &code.to_string(), &text, reason)
}

fn of_code(step: Step, code: &str, text: &str, reason: String) -> Outcome {
    let provider_code = code.to_owned();
    let status = enhanced(text);
    if code.starts_with('4') {
        // Too much from us, or too fast: every other message would fail as well.
        let is_limit = status.starts_with("4.7.") && step != Step::Recipient && code != "454" || status == "4.5.3";
        return if is_limit {
            Outcome::LimitHit {
                provider_code,
                reason,
                locked_for: LOCK,
            }
        } else {
            Outcome::RetryLater {
                provider_code,
                reason,
                after: None,
            }
        };
    }
    let says_no_mailbox = is_address_dead(status) || status.is_empty() && matches!(code, "550" | "551" | "553");
    let fault = match step {
        Step::Greeting | Step::Sender => Fault::Endpoint,
        Step::Recipient if says_no_mailbox => Fault::Address,
        Step::Recipient | Step::Words => Fault::Message,
    };
    Outcome::GiveUp {
        provider_code,
        reason,
        fault,
    }
}

/// The conversation broke off, or was none.
fn broken(step: Step, error: &Error) -> Outcome {
    let (provider_code, reason) = if error.is_timeout() {
        ("timeout", "no reply in time")
    } else if error.is_tls() {
        return super::unusable("tls", "no TLS the server can be trusted by");
    } else if error.is_response() {
        ("malformed", "the reply is not a mail server's")
    } else if error.is_client() {
        return super::unusable("sign_in", "the server offers no way to sign in that we know");
    } else if step == Step::Greeting {
        ("connect", "no connection to the server")
    } else {
        ("connection", "the connection broke before the reply was complete")
    };
    Outcome::RetryLater {
        provider_code: provider_code.into(),
        reason: reason.into(),
        after: None,
    }
}

/// Returns the enhanced status a reply begins with, for example "5.1.1"; empty where there is none.
fn enhanced(text: &str) -> &str {
    let word = text
        .split_whitespace()
        .find(|word| word.chars().all(|char| char.is_ascii_digit() || char == '.'));
    word.filter(|word| word.split('.').count() == 3).unwrap_or_default()
}

/// Servers like to repeat the address, which is no business of the ledger.
fn without_addresses(text: &str) -> String {
    let words = text
        .split_whitespace()
        .map(|word| if word.contains('@') { "***" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(step: Step, code: &str, text: &str) -> &'static str {
        match of_code(step, code, text, String::new()) {
            Outcome::Delivered { .. } => "delivered",
            Outcome::RetryLater { .. } => "retry",
            Outcome::LimitHit { .. } => "limit",
            Outcome::GiveUp { fault, .. } => match fault {
                Fault::Endpoint => "endpoint",
                Fault::Address => "address",
                Fault::Message => "message",
                Fault::Gone => "gone",
            },
        }
    }

    #[test]
    fn the_same_code_means_another_thing_in_another_step() {
        for (step, code, text, expected) in [
            (Step::Greeting, "421", "service not available", "retry"),
            (Step::Greeting, "421", "4.7.0 too many connections", "limit"),
            (Step::Greeting, "454", "4.7.0 temporary authentication failure", "retry"),
            (Step::Greeting, "535", "5.7.8 bad credentials", "endpoint"),
            (Step::Greeting, "554", "no service here", "endpoint"),
            (Step::Sender, "550", "5.7.1 you may not send as this", "endpoint"),
            (Step::Sender, "452", "4.5.3 too many messages", "limit"),
            (Step::Recipient, "450", "4.2.1 mailbox busy", "retry"),
            (Step::Recipient, "450", "4.7.1 greylisted", "retry"),
            (Step::Recipient, "452", "4.2.2 mailbox full", "retry"),
            (Step::Recipient, "550", "5.1.1 no such user", "address"),
            (Step::Recipient, "550", "no such user", "address"),
            (Step::Recipient, "552", "5.2.2 mailbox full", "message"),
            (Step::Recipient, "550", "5.7.1 blocked", "message"),
            (Step::Words, "451", "4.3.0 try again", "retry"),
            (Step::Words, "450", "4.7.28 rate limited", "limit"),
            (Step::Words, "552", "5.3.4 message too big", "message"),
            (Step::Words, "554", "5.7.1 looks like spam", "message"),
        ] {
            assert_eq!(kind(step, code, text), expected, "{step:?} {code} {text}");
        }
    }

    #[test]
    fn addresses_stay_out_of_the_ledger() {
        assert_eq!(
            without_addresses("5.1.1 <zhang.wei@example.com>: no such user"),
            "5.1.1 *** no such user"
        );
    }
}
