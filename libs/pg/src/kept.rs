//! Connections that go from one transaction straight to the next.
//!
//! The pool asks each connection that comes back whether it still lives, a round trip on a task of its own. After a
//! commit that is known, so committed connections skip it.

use std::sync::Arc;

use parking_lot::Mutex;
use sqlx::{PgPool, Postgres, pool::PoolConnection};

/// Committed connections of one pool; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pool: PgPool,
    idle: Arc<Mutex<Vec<PoolConnection<Postgres>>>>,
    /// Never all of the pool's: others ask the pool itself.
    limit: usize,
}

impl Kept {
    pub(crate) fn new(pool: PgPool) -> Self {
        let limit = usize::try_from(pool.options().get_max_connections() / 2).unwrap_or(usize::MAX);
        Self {
            pool,
            idle: Arc::default(),
            limit,
        }
    }

    /// Returns the connection that was used last, or one of the pool's.
    pub(crate) async fn take(&self) -> sqlx::Result<PoolConnection<Postgres>> {
        let idle = self.idle.lock().pop();
        match idle {
            Some(connection) => Ok(connection),
            None => self.pool.acquire().await,
        }
    }

    /// Keeps a connection whose transaction was committed.
    pub(crate) fn keep(&self, connection: PoolConnection<Postgres>) {
        let mut idle = self.idle.lock();
        if idle.len() < self.limit {
            idle.push(connection);
        }
    }
}
