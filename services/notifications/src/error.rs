//! What can go wrong in the service, and its one form on the wire.

use std::time::Duration;

use reflex_pg::{AsConflict, DbError, requests::ClaimError};
use reflex_rpc::status::{self, FieldViolation};
use reflex_sealing::SealError;
use tonic::Status;

use crate::domain::Problem;

/// When a caller may come back after the database was away.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// A use case failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request is not valid.
    #[error("{} fields are not valid", .0.len())]
    Invalid(Vec<Problem>),
    /// The resource does not exist for this tenant, or is not the caller's to know of.
    #[error("{0} does not exist")]
    NotFound(String),
    /// The request id was used for another request.
    #[error("the request id was used for another request")]
    RequestIdReused,
    /// The caller may not have what they ask for.
    #[error("it takes the permission {0}")]
    Denied(&'static str),
    /// The resource is in a state that forbids it.
    #[error("{0}")]
    WrongState(String),
    /// As many people watch their inboxes here as may.
    #[error("too many inboxes are watched")]
    TooManyWatchers,
    /// A channel's secret cannot be kept or read.
    #[error("a channel's secret is unusable")]
    Seal(#[from] SealError),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] DbError),
}

impl From<ClaimError> for Error {
    fn from(error: ClaimError) -> Self {
        match error {
            ClaimError::Reused => Self::RequestIdReused,
            ClaimError::Database(error) => Self::Database(error),
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
            Error::Invalid(problems) => {
                let violations = problems
                    .into_iter()
                    .map(|problem| FieldViolation::new(problem.field, problem.description));
                status::invalid(violations.collect())
            }
            Error::NotFound(resource) => status::not_found(resource),
            Error::RequestIdReused => status::request_id_reused(),
            Error::Denied(permission) => status::denied(permission),
            Error::WrongState(why) => status::wrong_state(why),
            Error::TooManyWatchers => status::overloaded(RETRY_AFTER),
            Error::Database(DbError::Unavailable(_) | DbError::Conflict(_)) => status::unavailable(RETRY_AFTER),
            Error::Seal(_) | Error::Database(_) => status::internal(&error),
        }
    }
}
