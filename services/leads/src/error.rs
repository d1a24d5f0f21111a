//! Everything that can go wrong in leads, and its one mapping to a gRPC status.

use std::time::Duration;

use reflex_pg::{AsConflict, DbError, batcher::BatchError, requests::ClaimError};
use reflex_rpc::status::{self, FieldViolation, PreconditionViolation};
use reflex_signatures::standard_webhooks::Refusal;
use tonic::Status;

use crate::domain::violation::Violation;

/// A call to leads failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Fields are missing or malformed.
    #[error("{} fields are invalid", .0.len())]
    Violations(Vec<Violation>),
    /// The resource does not exist for this tenant.
    #[error("{0} does not exist")]
    NotFound(String),
    /// The resource exists already.
    #[error("{0} exists already")]
    AlreadyExists(String),
    /// The resource's state forbids the action.
    #[error("{0}")]
    WrongState(String),
    /// All this has to be otherwise first.
    #[error("{} things stand in the way", .0.len())]
    Obstacles(Vec<Obstacle>),
    /// The signature of a body is refused.
    #[error(transparent)]
    Unsigned(Refusal),
    /// Somebody was faster.
    #[error("{0}")]
    Stale(String),
    /// The caller lacks this permission.
    #[error("permission {0} is missing")]
    Denied(&'static str),
    /// The request id was used with another payload.
    #[error("the request id was used with another payload")]
    RequestIdReused,
    /// Too much at once.
    #[error("too many leads wait to be stored")]
    Overloaded,
    /// A status that was decided elsewhere, for example about a page token.
    #[error("refused: {}", .0.message())]
    Refused(#[source] Box<Status>),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] DbError),
}

/// Something that has to be otherwise before an action is possible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    /// Its stable code.
    pub code: &'static str,
    /// What and why.
    pub violation: Violation,
}

impl Error {
    /// Makes the error of a single invalid field.
    pub fn invalid(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self::Violations(vec![Violation {
            field: field.into(),
            description: description.into(),
        }])
    }
}

impl From<Vec<Violation>> for Error {
    fn from(violations: Vec<Violation>) -> Self {
        Self::Violations(violations)
    }
}

impl From<FieldViolation> for Error {
    fn from(violation: FieldViolation) -> Self {
        Self::invalid(violation.field, violation.description)
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        Self::Refused(Box::new(status))
    }
}

impl From<ClaimError> for Error {
    fn from(error: ClaimError) -> Self {
        match error {
            ClaimError::Reused => Self::RequestIdReused,
            ClaimError::Database(error) => Self::Database(error),
        }
    }
}

impl From<BatchError> for Error {
    fn from(error: BatchError) -> Self {
        match error {
            BatchError::Full => Self::Overloaded,
            BatchError::Stopped => Self::Database(DbError::Unavailable(sqlx::Error::PoolClosed)),
        }
    }
}

impl AsConflict for Error {
    fn is_conflict(&self) -> bool {
        matches!(self, Self::Database(error) if error.is_conflict())
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        match error {
            Error::Violations(violations) => status::invalid(
                violations
                    .into_iter()
                    .map(|fault| FieldViolation::new(fault.field, fault.description))
                    .collect(),
            ),
            Error::NotFound(resource) => status::not_found(resource),
            Error::AlreadyExists(resource) => status::already_exists(resource),
            Error::WrongState(description) => status::wrong_state(description),
            Error::Obstacles(obstacles) => status::unmet(
                obstacles
                    .into_iter()
                    .map(|Obstacle { code, violation }| {
                        PreconditionViolation::new(code, violation.field, violation.description)
                    })
                    .collect(),
            ),
            Error::Unsigned(refusal) => status::unsigned(refusal.to_string()),
            Error::Stale(description) => status::stale(description),
            Error::Denied(permission) => status::denied(permission),
            Error::RequestIdReused => status::request_id_reused(),
            Error::Overloaded => status::overloaded(Duration::from_millis(200)),
            Error::Refused(status) => *status,
            Error::Database(DbError::Unavailable(_)) => status::unavailable(Duration::from_millis(500)),
            Error::Database(DbError::Conflict(_)) => status::unavailable(Duration::from_millis(50)),
            Error::Database(error) => status::internal(&error),
        }
    }
}
