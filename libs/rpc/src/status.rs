//! Failures on the wire: every one carries a reason that programs can match and a sentence that people can read.

use std::{collections::HashMap, error::Error, time::Duration};

use reflex_proto::platform::v1::Reason;
use reflex_runtime::telemetry;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};
use tracing::error;

pub use tonic_types::{FieldViolation, PreconditionViolation};
pub use violations::Violations;

mod violations;

/// Domain of all our reasons.
const DOMAIN: &str = "reflex";
/// What the enum's names begin with, and the wire's do not.
const PREFIX: &str = "REASON_";
/// More of them would not fit into the headers of an answer ...
const MAX_VIOLATIONS: usize = 20;
/// ... nor longer texts: clients take 16 KiB of headers, and details grow by a third on the wire.
const MAX_VIOLATION_BYTES: usize = 6_000;
/// Longest text of a caller that is sent back, in characters.
const MAX_ECHO: usize = 200;

/// `INVALID_ARGUMENT`: fields are missing or malformed.
#[must_use]
pub fn invalid(mut violations: Vec<FieldViolation>) -> Status {
    let message = match violations.as_slice() {
        [only] => format!("{}: {}", only.field, only.description),
        _ => format!("{} fields are not valid", violations.len()),
    };
    keep_fitting(&mut violations, |it| it.field.len() + it.description.len());
    let mut details = ErrorDetails::new();
    details.set_bad_request(violations);
    with_reason(Code::InvalidArgument, message, Reason::InvalidField, details)
}

/// `NOT_FOUND`: `resource` does not exist for this tenant. The answer for another tenant's resource is the same.
#[must_use]
pub fn not_found(resource: impl AsRef<str>) -> Status {
    let resource = shortened(resource.as_ref());
    about(
        Code::NotFound,
        format!("{resource} does not exist"),
        Reason::NotFound,
        resource,
    )
}

/// `ALREADY_EXISTS`: `resource` was created before.
#[must_use]
pub fn already_exists(resource: impl AsRef<str>) -> Status {
    let resource = shortened(resource.as_ref());
    about(
        Code::AlreadyExists,
        format!("{resource} exists already"),
        Reason::AlreadyExists,
        resource,
    )
}

/// `ALREADY_EXISTS`: the `request_id` was used with another payload.
#[must_use]
pub fn request_id_reused() -> Status {
    plain(
        Code::AlreadyExists,
        "the request_id was used for another request",
        Reason::RequestIdReused,
    )
}

/// `FAILED_PRECONDITION`: the resource is in a state that forbids the action.
#[must_use]
pub fn wrong_state(description: impl Into<String>) -> Status {
    plain(Code::FailedPrecondition, description, Reason::WrongState)
}

/// `FAILED_PRECONDITION`: all this has to be otherwise before the action is possible.
#[must_use]
pub fn unmet(mut violations: Vec<PreconditionViolation>) -> Status {
    let message = match violations.as_slice() {
        [only] => format!("{}: {}", only.subject, only.description),
        _ => format!("{} things stand in the way", violations.len()),
    };
    keep_fitting(&mut violations, |it| it.subject.len() + it.description.len());
    let mut details = ErrorDetails::new();
    details.set_precondition_failure(violations);
    with_reason(Code::FailedPrecondition, message, Reason::WrongState, details)
}

/// ABORTED: the etag or fencing token is stale, somebody was faster.
#[must_use]
pub fn stale(description: impl Into<String>) -> Status {
    plain(Code::Aborted, description, Reason::Stale)
}

/// `PERMISSION_DENIED`: none of the caller's roles has `permission`.
#[must_use]
pub fn denied(permission: &str) -> Status {
    let metadata = HashMap::from([("permission".to_owned(), permission.to_owned())]);
    let message = format!("needs the permission {permission}");
    failure(
        Code::PermissionDenied,
        message,
        Reason::PermissionDenied,
        metadata,
        ErrorDetails::new(),
    )
}

/// `PERMISSION_DENIED`: the call names no tenant, or one that the token does not carry.
#[must_use]
pub fn tenant_denied(description: impl Into<String>) -> Status {
    plain(Code::PermissionDenied, description, Reason::TenantDenied)
}

/// UNAUTHENTICATED: the token is missing or not acceptable.
#[must_use]
pub fn unauthenticated(description: impl Into<String>) -> Status {
    plain(Code::Unauthenticated, description, Reason::Unauthenticated)
}

/// UNAUTHENTICATED: the signature of a body is refused; the caller's own token was good.
#[must_use]
pub fn unsigned(description: impl Into<String>) -> Status {
    plain(Code::Unauthenticated, description, Reason::SignatureRefused)
}

/// `INVALID_ARGUMENT`: the page token is not of this query.
#[must_use]
pub fn page_token_mismatch() -> Status {
    plain(
        Code::InvalidArgument,
        "page_token: is not of this query",
        Reason::PageTokenMismatch,
    )
}

/// `RESOURCE_EXHAUSTED`: a queue is full or a quota is spent; the caller may try again after `retry_after`.
#[must_use]
pub fn overloaded(retry_after: Duration) -> Status {
    let details = ErrorDetails::with_retry_info(Some(retry_after));
    with_reason(
        Code::ResourceExhausted,
        "too much to do at the moment",
        Reason::Overloaded,
        details,
    )
}

/// UNAVAILABLE: a dependency is away; the caller may try again after `retry_after`.
#[must_use]
pub fn unavailable(retry_after: Duration) -> Status {
    let details = ErrorDetails::with_retry_info(Some(retry_after));
    with_reason(
        Code::Unavailable,
        "a dependency is not available",
        Reason::DependencyUnavailable,
        details,
    )
}

/// `DEADLINE_EXCEEDED`: the deadline passed before the answer.
#[must_use]
pub fn deadline_exceeded() -> Status {
    plain(
        Code::DeadlineExceeded,
        "the deadline has passed",
        Reason::DeadlineExceeded,
    )
}

/// INTERNAL: something broke on our side. The chain of causes goes to the log, here and nowhere else; the caller gets
/// a fixed sentence and, where traces are exported, the trace to ask about.
#[must_use]
pub fn internal(cause: &dyn Error) -> Status {
    let mut chain = cause.to_string();
    let mut source = cause.source();
    while let Some(deeper) = source {
        chain = format!("{chain}: {deeper}");
        source = deeper.source();
    }
    error!(error = chain, "internal error");
    broken()
}

/// INTERNAL for what was logged already.
pub(crate) fn broken() -> Status {
    let trace = telemetry::current_traceparent().and_then(|parent| Some(parent.split('-').nth(1)?.to_owned()));
    let metadata = trace.map(|trace| ("trace".to_owned(), trace)).into_iter().collect();
    failure(
        Code::Internal,
        "something broke on our side",
        Reason::Internal,
        metadata,
        ErrorDetails::new(),
    )
}

/// Returns the reason of a failure, `None` where it does not come from Reflex.
#[must_use]
pub fn reason_of(status: &Status) -> Option<Reason> {
    let info = status.get_details_error_info().filter(|info| info.domain == DOMAIN)?;
    Reason::from_str_name(&format!("{PREFIX}{}", info.reason))
}

fn plain(code: Code, message: impl Into<String>, reason: Reason) -> Status {
    with_reason(code, message, reason, ErrorDetails::new())
}

fn with_reason(code: Code, message: impl Into<String>, reason: Reason, details: ErrorDetails) -> Status {
    failure(code, message, reason, HashMap::new(), details)
}

fn about(code: Code, message: String, reason: Reason, resource: String) -> Status {
    failure(
        code,
        message,
        reason,
        HashMap::from([("resource".to_owned(), resource)]),
        ErrorDetails::new(),
    )
}

fn failure(
    code: Code,
    message: impl Into<String>,
    reason: Reason,
    metadata: HashMap<String, String>,
    mut details: ErrorDetails,
) -> Status {
    let name = reason.as_str_name();
    details.set_error_info(name.strip_prefix(PREFIX).unwrap_or(name), DOMAIN, metadata);
    Status::with_error_details(code, message, details)
}

/// Keeps the first of what is told, as much as an answer can carry, and at least one.
fn keep_fitting<T>(violations: &mut Vec<T>, bytes_of: impl Fn(&T) -> usize) {
    let mut bytes = 0;
    let fits = |violation: &&T| {
        bytes += bytes_of(violation);
        bytes <= MAX_VIOLATION_BYTES
    };
    let fitting = violations.iter().take(MAX_VIOLATIONS).take_while(fits).count();
    violations.truncate(fitting.max(1));
}

/// Returns a text of the caller, cut to what is worth sending back.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_ECHO) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_carries_its_reason() {
        let second = Duration::from_secs(1);
        let cause = std::io::Error::other("password=hunter2");
        for (status, code, reason) in [
            (
                invalid(vec![FieldViolation::new("a", "b")]),
                Code::InvalidArgument,
                Reason::InvalidField,
            ),
            (not_found("leads/1"), Code::NotFound, Reason::NotFound),
            (already_exists("leads/1"), Code::AlreadyExists, Reason::AlreadyExists),
            (request_id_reused(), Code::AlreadyExists, Reason::RequestIdReused),
            (wrong_state("is closed"), Code::FailedPrecondition, Reason::WrongState),
            (
                unmet(vec![PreconditionViolation::new("UNKNOWN_TEAM", "a", "b")]),
                Code::FailedPrecondition,
                Reason::WrongState,
            ),
            (stale("was claimed"), Code::Aborted, Reason::Stale),
            (denied("leads.read"), Code::PermissionDenied, Reason::PermissionDenied),
            (tenant_denied("not yours"), Code::PermissionDenied, Reason::TenantDenied),
            (
                unauthenticated("no token"),
                Code::Unauthenticated,
                Reason::Unauthenticated,
            ),
            (page_token_mismatch(), Code::InvalidArgument, Reason::PageTokenMismatch),
            (overloaded(second), Code::ResourceExhausted, Reason::Overloaded),
            (unavailable(second), Code::Unavailable, Reason::DependencyUnavailable),
            (deadline_exceeded(), Code::DeadlineExceeded, Reason::DeadlineExceeded),
            (internal(&cause), Code::Internal, Reason::Internal),
        ] {
            assert_eq!((status.code(), reason_of(&status)), (code, Some(reason)), "{status}");
            assert!(!format!("{status:?}").contains("hunter2"), "causes stay inside");
        }
        assert_eq!(reason_of(&Status::not_found("not ours")), None);
    }

    #[test]
    fn retry_delays_are_sent() {
        let delay = Duration::from_millis(250);
        for status in [overloaded(delay), unavailable(delay)] {
            assert_eq!(status.get_details_retry_info().unwrap().retry_delay, Some(delay));
        }
    }

    #[test]
    fn answers_stay_small_whatever_was_sent() {
        let violations = (0..10_000)
            .map(|at| FieldViolation::new(format!("f{at}"), "bad"))
            .collect();
        let status = invalid(violations);
        assert_eq!(status.message(), "10000 fields are not valid");
        assert_eq!(
            status.get_details_bad_request().unwrap().field_violations.len(),
            MAX_VIOLATIONS
        );
        let long = || "线".repeat(500);
        let violations = (0..20).map(|_| FieldViolation::new("f", long())).collect();
        let status = invalid(violations);
        assert_eq!(status.get_details_bad_request().unwrap().field_violations.len(), 3);
        let violations = (0..20).map(|_| PreconditionViolation::new("T", "f", long())).collect();
        let status = unmet(violations);
        assert_eq!(status.message(), "20 things stand in the way");
        assert_eq!(status.get_details_precondition_failure().unwrap().violations.len(), 3);
        let status = not_found("线".repeat(1 << 20));
        assert!(status.details().len() < 2_000 && status.message().len() < 1_000);
    }
}
