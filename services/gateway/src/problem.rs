//! Failures as people and programs on the web read them: problem details of RFC 9457.

use std::{borrow::Cow, error::Error as _, time::Duration};

use axum::response::{IntoResponse, Response};
use http::{
    HeaderValue, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
};
use reflex_proto::platform::v1::Reason;
use serde::Serialize;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// Content type of every failure.
pub const PROBLEM_JSON: &str = "application/problem+json";
/// What `type` begins with where the failure has a reason; the reason follows.
const TYPE_PREFIX: &str = "urn:reflex:problem:";
/// What callers wait before they ask again for something that is away and did not say for how long.
const DEFAULT_RETRY: Duration = Duration::from_secs(1);

/// A failure on its way to the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    detail: Cow<'static, str>,
    reason: Option<Cow<'static, str>>,
    violations: Vec<Violation>,
    retry_after: Option<Duration>,
}

/// A field that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Path of the field, as the client wrote it where that is known.
    pub field: String,
    /// What is wrong with it.
    pub description: String,
}

impl Violation {
    /// Returns a violation of `field`.
    pub fn new(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            description: description.into(),
        }
    }
}

/// The JSON form.
#[derive(Serialize)]
struct Body<'a> {
    r#type: Cow<'static, str>,
    title: &'static str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    violations: &'a [Violation],
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
}

impl Problem {
    /// Returns a failure that only HTTP knows, without a reason.
    pub fn new(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            detail: detail.into(),
            reason: None,
            violations: Vec::new(),
            retry_after: None,
        }
    }

    /// 400: fields are not as they should be.
    #[must_use]
    pub fn invalid(violations: Vec<Violation>) -> Self {
        let detail = match violations.as_slice() {
            [only] if only.field.is_empty() => only.description.clone(),
            [only] => format!("{}: {}", only.field, only.description),
            _ => format!("{} fields are not valid", violations.len()),
        };
        Self {
            violations,
            ..Self::new(StatusCode::BAD_REQUEST, detail).because(Reason::InvalidField)
        }
    }

    /// 400: one field is not as it should be.
    pub fn invalid_field(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self::invalid(vec![Violation::new(field, description)])
    }

    /// 404.
    pub fn not_found(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail).because(Reason::NotFound)
    }

    /// 500: something broke on our side; the cause is in the log.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "something broke on our side").because(Reason::Internal)
    }

    /// 503: what is needed is away.
    pub fn unavailable(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
            .because(Reason::DependencyUnavailable)
            .retry_after(DEFAULT_RETRY)
    }

    /// 504: the time for the answer is over.
    #[must_use]
    pub fn deadline_exceeded() -> Self {
        Self::new(StatusCode::GATEWAY_TIMEOUT, "the deadline has passed").because(Reason::DeadlineExceeded)
    }

    /// Adds the reason that programs match on.
    #[must_use]
    pub fn because(mut self, reason: Reason) -> Self {
        let name = reason.as_str_name();
        self.reason = Some(Cow::Borrowed(name.strip_prefix("REASON_").unwrap_or(name)));
        self
    }

    /// Adds when it makes sense to ask again.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    /// Tells whether programs are given this reason.
    pub(crate) fn is_because(&self, reason: Reason) -> bool {
        let name = reason.as_str_name();
        self.reason.as_deref() == Some(name.strip_prefix("REASON_").unwrap_or(name))
    }

    /// Returns the HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the JSON form.
    ///
    /// # Panics
    ///
    /// Never: it consists of texts and numbers.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::to_value(self.body()).expect("texts and numbers have a JSON form")
    }

    /// Names the fields of all violations anew.
    pub(crate) fn rename_fields(&mut self, rename: impl Fn(&str) -> Option<String>) {
        let one = self.violations.len() == 1;
        for violation in &mut self.violations {
            let Some(name) = rename(&violation.field) else { continue };
            violation.field = name;
            if one {
                self.detail = format!("{}: {}", violation.field, violation.description).into();
            }
        }
    }

    fn body(&self) -> Body<'_> {
        Body {
            r#type: match &self.reason {
                Some(reason) => format!("{TYPE_PREFIX}{reason}").into(),
                None => "about:blank".into(),
            },
            title: title(self.status),
            status: self.status.as_u16(),
            detail: &self.detail,
            reason: self.reason.as_deref(),
            violations: &self.violations,
            retry_after_ms: self
                .retry_after
                .map(|delay| delay.as_millis().try_into().unwrap_or(u64::MAX)),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let json = serde_json::to_vec(&self.body()).expect("texts and numbers have a JSON form");
        let mut response = (self.status, json).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(delay) = self.retry_after {
            // The header counts whole seconds; a client that comes too early would only be refused again.
            let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
            headers.insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl From<Status> for Problem {
    fn from(status: Status) -> Self {
        if status.source().is_some() {
            return from_transport(&status);
        }
        let details = status.get_error_details();
        let violations = details.bad_request().map_or_else(Vec::new, |bad| {
            let violations = bad.field_violations.iter();
            violations
                .map(|violation| Violation::new(violation.field.as_str(), violation.description.as_str()))
                .collect()
        });
        let retry_after = details.retry_info().and_then(|retry| retry.retry_delay);
        let wait_by_default = matches!(status.code(), Code::Unavailable | Code::ResourceExhausted);
        Self {
            status: http_status(status.code()),
            detail: status.message().to_owned().into(),
            reason: details.error_info().map(|info| info.reason.clone().into()),
            violations,
            retry_after: retry_after.or_else(|| wait_by_default.then_some(DEFAULT_RETRY)),
        }
    }
}

/// A failure on the way to a service or back: its text is of our network, and no business of the client.
fn from_transport(status: &Status) -> Problem {
    tracing::warn!(code = ?status.code(), error = status.message(), "call to a service failed on its way");
    match status.code() {
        Code::DeadlineExceeded => Problem::deadline_exceeded(),
        Code::Unavailable | Code::Cancelled | Code::Unknown => Problem::unavailable("a service is not reachable"),
        _ => Problem::internal(),
    }
}

/// The mapping that google.rpc.Code documents.
fn http_status(code: Code) -> StatusCode {
    match code {
        Code::Ok => StatusCode::OK,
        // nginx's "client closed request"; HTTP has none of its own.
        Code::Cancelled => StatusCode::from_u16(499).expect("between 100 and 999"),
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::Aborted | Code::AlreadyExists => StatusCode::CONFLICT,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Code::Internal | Code::DataLoss | Code::Unknown => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn title(status: StatusCode) -> &'static str {
    match status.as_u16() {
        499 => "Client Closed Request",
        _ => status.canonical_reason().unwrap_or("Failure"),
    }
}

#[cfg(test)]
mod tests {
    use reflex_rpc::status;
    use serde_json::json;

    use super::*;

    #[test]
    fn every_code_has_the_status_google_gives_it() {
        for (code, expected) in [
            (Code::Cancelled, 499),
            (Code::Unknown, 500),
            (Code::InvalidArgument, 400),
            (Code::DeadlineExceeded, 504),
            (Code::NotFound, 404),
            (Code::AlreadyExists, 409),
            (Code::PermissionDenied, 403),
            (Code::ResourceExhausted, 429),
            (Code::FailedPrecondition, 400),
            (Code::Aborted, 409),
            (Code::OutOfRange, 400),
            (Code::Unimplemented, 501),
            (Code::Internal, 500),
            (Code::Unavailable, 503),
            (Code::DataLoss, 500),
            (Code::Unauthenticated, 401),
        ] {
            assert_eq!(
                Problem::from(Status::new(code, "")).status().as_u16(),
                expected,
                "{code:?}"
            );
        }
    }

    #[test]
    fn details_of_a_status_become_members() {
        let violation = status::FieldViolation::new("lead.company", "must be set");
        let problem = Problem::from(status::invalid(vec![violation]));
        assert_eq!(
            problem.json(),
            json!({
                "type": "urn:reflex:problem:INVALID_FIELD",
                "title": "Bad Request",
                "status": 400,
                "detail": "lead.company: must be set",
                "reason": "INVALID_FIELD",
                "violations": [{"field": "lead.company", "description": "must be set"}],
            })
        );
    }

    #[test]
    fn delays_are_told_twice() {
        let response = Problem::from(status::overloaded(Duration::from_millis(1_200))).into_response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()[RETRY_AFTER], "2", "in whole seconds, rounded up");
        let problem = Problem::from(status::overloaded(Duration::from_millis(1_200)));
        assert_eq!(problem.json()["retry_after_ms"], 1_200);
        let response = Problem::from(Status::unavailable("no delay told")).into_response();
        assert_eq!(response.headers()[RETRY_AFTER], "1");
    }

    #[test]
    fn what_only_http_knows_has_no_reason() {
        let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "only POST");
        assert_eq!(
            problem.json(),
            json!({"type": "about:blank", "title": "Method Not Allowed", "status": 405, "detail": "only POST"})
        );
    }

    #[test]
    fn the_network_stays_inside() {
        let status = Status::from_error(Box::new(std::io::Error::other("10.0.0.7 refused")));
        let problem = Problem::from(status);
        assert_eq!(problem.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(!problem.json().to_string().contains("10.0.0.7"));
    }

    #[test]
    fn fields_get_the_names_the_client_used() {
        let mut problem = Problem::invalid_field("lead.company", "is too long");
        problem.rename_fields(|field| (field == "lead.company").then(|| "公司".to_owned()));
        assert_eq!(problem.json()["detail"], "公司: is too long");
        assert_eq!(problem.json()["violations"][0]["field"], "公司");
    }
}
