//! A refusal as one sentence for people.

use std::error::Error as _;
use std::io;

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// Says what a service answered: its sentence, the fields at fault, and the reason that programs match on.
pub(crate) fn sentence(status: &Status) -> String {
    let details = status.get_error_details();
    if status.code() == Code::Unavailable && details.error_info().is_none() {
        return unreachable(status);
    }
    let mut text = match status.message() {
        "" => format!("the server answered {:?}", status.code()),
        message => message.to_owned(),
    };
    let of_request = details.bad_request().into_iter().flat_map(|it| &it.field_violations);
    let of_request = of_request.map(|it| format!("{}: {}", it.field, it.description));
    let of_state = details.precondition_failure().into_iter().flat_map(|it| &it.violations);
    let of_state = of_state.map(|it| format!("{}: {}", it.subject, it.description));
    let violations: Vec<String> = of_request
        .chain(of_state)
        .filter(|violation| !text.contains(violation))
        .collect();
    if !violations.is_empty() {
        text = format!("{text}: {}", violations.join("; "));
    }
    if let Some(delay) = details.retry_info().and_then(|info| info.retry_delay) {
        text = format!("{text}; try again in {} s", delay.as_secs_f32().ceil());
    }
    match details.error_info() {
        Some(info) => format!("{text} ({})", info.reason),
        None => format!("{text} ({:?})", status.code()),
    }
}

/// Says why a command failed, from the outermost cause to the innermost.
pub(crate) fn describe(error: &anyhow::Error) -> String {
    let mut causes = Vec::new();
    for cause in error.chain() {
        if let Some(status) = cause.downcast_ref::<Status>() {
            causes.push(sentence(status));
            break;
        }
        causes.push(cause.to_string());
    }
    causes.join(": ")
}

/// Tells whether the reader of our output went away.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.any(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Tells whether no service answered at all.
pub(crate) fn is_unreachable(error: &anyhow::Error) -> bool {
    let mut answers = error.chain().filter_map(|cause| cause.downcast_ref::<Status>());
    answers.any(|status| status.code() == Code::Unavailable && status.get_error_details().error_info().is_none())
}

/// Names the last cause: `connection refused` says more than `transport error`.
fn unreachable(status: &Status) -> String {
    let mut cause = status.source();
    let mut text = status.message().to_owned();
    while let Some(error) = cause {
        text = error.to_string();
        cause = error.source();
    }
    format!("the server cannot be reached: {text}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic_types::ErrorDetails;

    #[test]
    fn sentences_name_reason_and_fields() {
        let mut details = ErrorDetails::new();
        details.set_error_info("INVALID_FIELD", "reflex", std::collections::HashMap::new());
        details.add_bad_request_violation("member.name", "must not be empty");
        details.add_bad_request_violation("member.role", "is required");
        let status = Status::with_error_details(Code::InvalidArgument, "the request is malformed", details);
        assert_eq!(
            sentence(&status),
            "the request is malformed: member.name: must not be empty; member.role: is required (INVALID_FIELD)"
        );
        let details =
            ErrorDetails::with_precondition_failure_violation("UNKNOWN_TEAM", "policy.default_team", "is unknown");
        let status = Status::with_error_details(Code::FailedPrecondition, "1 thing stands in the way", details);
        assert_eq!(
            sentence(&status),
            "1 thing stands in the way: policy.default_team: is unknown (FailedPrecondition)"
        );
        assert_eq!(sentence(&Status::not_found("no such lead")), "no such lead (NotFound)");
        assert_eq!(
            sentence(&Status::new(Code::Aborted, "")),
            "the server answered Aborted (Aborted)"
        );
        let away = sentence(&Status::unavailable("transport error"));
        assert_eq!(away, "the server cannot be reached: transport error");
    }
}
