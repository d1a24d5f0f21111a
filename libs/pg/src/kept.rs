//! Connections that go from one transaction straight to the next.
//!
//! The pool asks each connection that comes back whether it still lives, a round trip on a task of its own. After a
//! commit that is known, so committed connections skip it. And whoever once asked the pool for a new connection waits
//! until that one is open, which takes seconds on a busy machine; here the first connection that is free serves, and
//! the new one, once open, serves the next.

use std::{collections::VecDeque, sync::Arc};

use parking_lot::Mutex;
use sqlx::{PgPool, Postgres, pool::PoolConnection};
use tokio::{sync::oneshot, time::timeout};

type Connection = PoolConnection<Postgres>;

/// Committed connections of one pool; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pool: PgPool,
    state: Arc<Mutex<State>>,
    /// Never all of the pool's: others ask the pool itself.
    limit: usize,
}

#[derive(Debug, Default)]
struct State {
    idle: Vec<Connection>,
    /// Who waits for a connection, longest first; only while none is idle.
    waiting: VecDeque<oneshot::Sender<sqlx::Result<Connection>>>,
    /// Whether a task asks the pool on behalf of those who wait.
    asking: bool,
}

impl Kept {
    pub(crate) fn new(pool: PgPool) -> Self {
        let limit = usize::try_from(pool.options().get_max_connections() / 2).unwrap_or(usize::MAX);
        Self {
            pool,
            state: Arc::default(),
            limit,
        }
    }

    /// Returns the connection that was used last, or the next one that is free.
    pub(crate) async fn take(&self) -> sqlx::Result<Connection> {
        let answered = {
            let mut state = self.state.lock();
            if let Some(connection) = state.idle.pop() {
                return Ok(connection);
            }
            let (answer, answered) = oneshot::channel();
            state.waiting.push_back(answer);
            if !state.asking {
                state.asking = true;
                self.start_asking();
            }
            answered
        };
        match timeout(self.pool.options().get_acquire_timeout(), answered).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(sqlx::Error::PoolClosed),
            Err(_) => Err(sqlx::Error::PoolTimedOut),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "it ends when nobody waits any more")]
    fn start_asking(&self) {
        tokio::spawn(self.clone().ask_pool());
    }

    /// Takes connections from the pool, one after the other, until nobody waits.
    async fn ask_pool(self) {
        loop {
            match self.pool.acquire().await {
                Ok(connection) => self.keep(connection),
                // Everyone who waits watches the time for himself.
                Err(sqlx::Error::PoolTimedOut) => {}
                Err(error) => {
                    let first = self.state.lock().waiting.pop_front();
                    // Who has given up waiting does not need the reason.
                    drop(first.map(|answer| answer.send(Err(error))));
                }
            }
            let mut state = self.state.lock();
            state.waiting.retain(|answer| !answer.is_closed());
            if state.waiting.is_empty() {
                state.asking = false;
                return;
            }
        }
    }

    /// Hands a connection that is known to live to whoever waits longest, or keeps it.
    pub(crate) fn keep(&self, mut connection: Connection) {
        let mut state = self.state.lock();
        while let Some(answer) = state.waiting.pop_front() {
            match answer.send(Ok(connection)) {
                Ok(()) => return,
                Err(Ok(returned)) => connection = returned,
                Err(Err(_)) => unreachable!("a connection was sent"),
            }
        }
        if state.idle.len() < self.limit {
            state.idle.push(connection);
        }
    }
}
