//! What can go wrong between us and PostgreSQL, told apart by what the caller should do.

/// A database call failed.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// The database is away or its pool is exhausted: try again later.
    #[error("the database is unavailable")]
    Unavailable(#[source] sqlx::Error),
    /// Two transactions stood in each other's way: run the same one again.
    #[error("the transaction conflicted with another one")]
    Conflict(#[source] sqlx::Error),
    /// Another worker took the shard over: stop writing.
    #[error("the shard lease was lost")]
    LeaseLost,
    /// A named constraint refused the rows.
    #[error("constraint {constraint} refused the rows")]
    Constraint {
        /// Its name.
        constraint: String,
        /// The database's own error.
        #[source]
        source: sqlx::Error,
    },
    /// Anything else: a defect of ours.
    #[error("the database refused a statement")]
    Statement(#[source] sqlx::Error),
}

impl DbError {
    /// Returns the violated constraint, if one refused the rows.
    #[must_use]
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Constraint { constraint, .. } => Some(constraint),
            _ => None,
        }
    }
}

impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as E;
        match &error {
            E::Io(_) | E::Tls(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed | E::Protocol(_) => {
                Self::Unavailable(error)
            }
            E::Database(database) => match database.code().as_deref() {
                Some("RF001") => Self::LeaseLost,
                Some("40001" | "40P01") => Self::Conflict(error),
                // Class 08 connection, 53 resources (disk, memory, connections), 57P shutdown and restart.
                Some(code) if ["08", "53", "57P", "58"].iter().any(|class| code.starts_with(class)) => {
                    Self::Unavailable(error)
                }
                _ => match database.constraint().map(str::to_owned) {
                    Some(constraint) => Self::Constraint {
                        constraint,
                        source: error,
                    },
                    None => Self::Statement(error),
                },
            },
            _ => Self::Statement(error),
        }
    }
}
