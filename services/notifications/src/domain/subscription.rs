//! Subscriptions of systems outside: their states, what their events are called ([`event_type`]), what is hidden of people
//! ([`mask`]), when a delivery is tried again ([`retry`]), and when an endpoint is left in peace ([`health`]).

pub mod event_type;
pub mod health;
pub mod mask;
pub mod retry;

use jiff::{SignedDuration, Timestamp};
use reflex_signatures::standard_webhooks::Keys;

use super::Problem;

/// What the names of subscriptions begin with.
pub const SUBSCRIPTION_PREFIX: &str = "subscriptions/";
/// Most types a subscription names.
pub const MAX_TYPES: usize = 100;
/// Longest filter, in characters.
pub const MAX_FILTER: usize = 2_000;
/// Longest secret, in characters.
pub const MAX_SECRET: usize = 200;
/// How long the former secret signs besides, unless told otherwise.
pub const OVERLAP: SignedDuration = SignedDuration::from_hours(24);
/// The longest it may.
pub const MAX_OVERLAP: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Whether events go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// They do.
    Active,
    /// They wait, as somebody wants it so.
    Paused,
    /// They wait, as the endpoint said that it is gone.
    Disabled,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Active, Self::Paused, Self::Disabled];

    /// Returns its name in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Disabled => "disabled",
        }
    }

    /// Reads its name.
    #[must_use]
    pub fn find(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// How far a delivery has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It waits for its first or next attempt.
    Pending,
    /// The endpoint took it.
    Delivered,
    /// It was given up.
    Failed,
}

impl Progress {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Delivered, Self::Failed];

    /// Returns its name in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }

    /// Reads its name.
    #[must_use]
    pub fn find(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|progress| progress.as_str() == text)
    }
}

/// What an attempt came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The endpoint took it.
    Delivered,
    /// It is tried again, not before what the endpoint asked for.
    RetryLater(Option<SignedDuration>),
    /// The endpoint wants nothing any more.
    Gone,
}

impl Outcome {
    /// Returns its name in the database.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::RetryLater(_) => "retry_later",
            Self::Gone => "gone",
        }
    }
}

/// Checks a secret: one key that can sign.
///
/// # Errors
/// What is wrong with it; the text does not repeat it.
pub fn check_secret(field: &'static str, secret: &str) -> Result<(), Problem> {
    let is_one = !secret.contains(' ') && Keys::parse(secret).is_some_and(|keys| keys.can_sign());
    if is_one {
        return Ok(());
    }
    Err(Problem::new(
        field,
        "must be whsec_ and the base64 of 24 to 64 bytes, or whsk_ and the base64 of an Ed25519 key",
    ))
}

/// Returns until when the present secret signs besides a new one.
///
/// # Errors
/// When the overlap is negative or too long.
pub fn overlap_end(now: Timestamp, overlap: Option<SignedDuration>) -> Result<Timestamp, Problem> {
    let overlap = overlap.unwrap_or(OVERLAP);
    if overlap.is_negative() || overlap > MAX_OVERLAP {
        return Err(Problem::new("overlap", "must be 0 to 30 days"));
    }
    Ok(now + overlap)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARED: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn a_secret_is_one_key_that_signs() {
        let seed = "whsk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        let public = Keys::parse(seed).unwrap().public().remove(0);
        for (secret, fits) in [
            (SHARED, true),
            (seed, true),
            (public.as_str(), false),
            ("", false),
            ("whsec_c2hvcnQ=", false),
            ("SEC0123456789abcdef", false),
            (&format!("{SHARED} {SHARED}"), false),
        ] {
            let checked = check_secret("subscription.secret", secret);
            assert_eq!(checked.is_ok(), fits, "{secret}");
            assert!(
                checked
                    .err()
                    .is_none_or(|problem| secret.is_empty() || !problem.description.contains(secret))
            );
        }
    }

    #[test]
    fn an_overlap_lasts_a_day_and_never_longer_than_a_month() {
        let now: Timestamp = "2026-02-16T00:00:00Z".parse().unwrap();
        let end = |hours| overlap_end(now, Some(SignedDuration::from_hours(hours)));
        assert_eq!(overlap_end(now, None), end(24));
        assert_eq!(end(0), Ok(now));
        assert!(end(30 * 24).is_ok());
        assert!(end(30 * 24 + 1).is_err());
        assert!(end(-1).is_err());
    }

    #[test]
    fn names_of_states_are_read_back() {
        assert!(
            State::ALL
                .into_iter()
                .all(|state| State::find(state.as_str()) == Some(state))
        );
        assert!(
            Progress::ALL
                .into_iter()
                .all(|state| Progress::find(state.as_str()) == Some(state))
        );
        assert_eq!((State::find("x"), Progress::find("")), (None, None));
    }
}
