//! Pools of one service's database, and transactions that are bound to tenants from their first statement on.

use std::{
    fmt::Write as _,
    ops::{Deref, DerefMut},
    str::FromStr,
    time::{Duration, Instant},
};

use opentelemetry::{KeyValue, metrics::Histogram};
use reflex_runtime::telemetry;
use reflex_tenancy::TenantSet;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sqlx::{
    AssertSqlSafe, FromRow, PgConnection, PgPool, Postgres, SqlSafeStr,
    pool::PoolConnection,
    postgres::{PgArguments, PgConnectOptions, PgPoolOptions, PgRow, PgTransactionManager},
    query::QueryAs,
};
use sqlx_core::transaction::TransactionManager;

use crate::{DbError, kept::Kept, lease::Hold};

/// Statements of loops take whole batches as arrays. Planned for the arrays at hand, again and again, they would wait
/// longer for the plan than for the rows.
const GENERIC_PLANS: &str = "set_config('plan_cache_mode', 'force_generic_plan', true)";

/// Where a service's database is, by role.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseConfig {
    /// URL of the role that serves requests, bound by row security (member of `reflex_app`).
    pub app_url: SecretString,
    /// URL of the role that finds work across tenants (member of `reflex_worker`).
    pub worker_url: SecretString,
    /// URL of the owner, only used to migrate.
    pub owner_url: SecretString,
    /// Connections the serving pool may open; the worker pool gets a quarter, at least 4.
    pub max_connections: u32,
}

/// The pools of one service's database.
#[derive(Debug, Clone)]
pub struct Database {
    /// For requests and effects, under row security.
    pub app: PgPool,
    /// For finding work across tenants; sees queue tables only.
    pub worker: PgPool,
    kept_app: Kept,
    kept_worker: Kept,
    durations: Histogram<f64>,
}

impl Database {
    /// Opens both pools; connections are made when needed, so a database that is away does not keep a service down.
    ///
    /// # Errors
    /// When a URL cannot be parsed.
    pub fn connect(config: &DatabaseConfig) -> Result<Self, DbError> {
        let app = pool(&config.app_url, config.max_connections, "auto")?;
        let worker_connections = (config.max_connections / 4).max(4);
        let worker = pool(&config.worker_url, worker_connections, "force_generic_plan")?;
        Ok(Self {
            kept_app: Kept::new(app.clone()),
            kept_worker: Kept::new(worker.clone()),
            app,
            worker,
            durations: telemetry::meter()
                .f64_histogram("db.transaction.duration")
                .with_unit("s")
                .with_description("Time from begin to commit, by name of the transaction")
                .build(),
        })
    }

    /// Begins a transaction that sees and writes the rows of `tenants` only; one round trip.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when the database is away.
    pub async fn begin(&self, name: &'static str, tenants: &TenantSet) -> Result<Transaction, DbError> {
        let tenants = tenants.joined();
        let statements = format!("begin; set local reflex.tenants = '{tenants}'");
        self.begin_with(name, &self.kept_app, statements).await
    }

    /// Begins a transaction like [`Database::begin`] for statements that take whole batches, which are planned once for all
    /// of them, and holds shards in the same round trip.
    ///
    /// # Errors
    /// [`DbError::LeaseLost`] when another worker took one of the shards over.
    pub async fn begin_held(
        &self,
        name: &'static str,
        tenants: &TenantSet,
        holds: &[&Hold],
    ) -> Result<Transaction, DbError> {
        let tenants = tenants.joined();
        let mut statements = format!("select set_config('reflex.tenants', '{tenants}', true), {GENERIC_PLANS}");
        for hold in holds {
            write!(statements, ", hold_shard('{}', {})", hold.shard(), hold.fence()).expect("text can be written");
        }
        statements.push_str("; begin");
        self.begin_with(name, &self.kept_app, statements).await
    }

    /// Begins a transaction of the worker role that takes work from the queue tables of all tenants and holds a shard.
    /// Its commit does not wait for the disk, so only what may be done again belongs into it: after a crash of the
    /// database the work may be there once more.
    ///
    /// # Errors
    /// [`DbError::LeaseLost`] when another worker took the shard over.
    pub async fn begin_worker(&self, name: &'static str, hold: &Hold) -> Result<Transaction, DbError> {
        let (shard, fence) = (hold.shard(), hold.fence());
        self.begin_with(
            name,
            &self.kept_worker,
            format!(
                "select hold_shard('{shard}', {fence}), set_config('synchronous_commit', 'off', true), {GENERIC_PLANS}; \
                 begin"
            ),
        )
        .await
    }

    /// Runs one statement that is a transaction by itself: one round trip where begin, statement and commit take three.
    ///
    /// The connection is bound to no tenant. The statement binds them, and everything else of it has to come after:
    /// `with bound as materialized (select set_config('reflex.tenants', $1, true)), …`, and whatever reads or writes rows
    /// joins `bound`.
    ///
    /// # Errors
    /// When the database failed or the outcome is unknown; retry with the same request id.
    pub async fn run_alone<T>(
        &self,
        name: &'static str,
        statement: QueryAs<'_, Postgres, T, PgArguments>,
    ) -> Result<Vec<T>, DbError>
    where
        T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        let started = Instant::now();
        let mut connection = self.kept_app.take().await?;
        let rows = statement.fetch_all(&mut *connection).await?;
        self.kept_app.keep(connection);
        record(&self.durations, name, started);
        Ok(rows)
    }

    /// The statements before `begin` run in the implicit transaction that `begin` then turns into an explicit one: what
    /// they set and lock lasts until the commit, and if one fails the connection is idle again, not stuck in an aborted
    /// transaction. Nothing in the text comes from outside: tenant ids and shard names have a closed alphabet.
    async fn begin_with(&self, name: &'static str, kept: &Kept, statements: String) -> Result<Transaction, DbError> {
        let started = Instant::now();
        let mut transaction = Transaction {
            connection: Some(kept.take().await?),
            kept: kept.clone(),
            name,
            started,
            durations: self.durations.clone(),
        };
        PgTransactionManager::begin(&mut transaction, Some(AssertSqlSafe(statements).into_sql_str())).await?;
        Ok(transaction)
    }
}

/// A transaction with a name, rolled back unless committed.
#[derive(Debug)]
pub struct Transaction {
    /// None once committed.
    connection: Option<PoolConnection<Postgres>>,
    kept: Kept,
    name: &'static str,
    started: Instant,
    durations: Histogram<f64>,
}

impl Transaction {
    /// Commits; afterwards everything written is durable.
    ///
    /// # Errors
    /// When the commit failed or its outcome is unknown; retry with the same request id.
    pub async fn commit(mut self) -> Result<(), DbError> {
        PgTransactionManager::commit(&mut self).await?;
        if let Some(connection) = self.connection.take() {
            self.kept.keep(connection);
        }
        record(&self.durations, self.name, self.started);
        Ok(())
    }
}

impl Deref for Transaction {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.connection
            .as_ref()
            .expect("it is there until the commit, which takes the transaction")
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.connection
            .as_mut()
            .expect("it is there until the commit, which takes the transaction")
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if let Some(connection) = &mut self.connection {
            // Sent when the pool looks whether the connection still lives.
            PgTransactionManager::start_rollback(connection);
        }
    }
}

fn record(durations: &Histogram<f64>, name: &'static str, started: Instant) {
    durations.record(
        started.elapsed().as_secs_f64(),
        &[KeyValue::new("db.transaction.name", name)],
    );
}

/// Runs `work` again, a few times, when its transaction conflicted with another one; `work` must be repeatable.
///
/// # Errors
/// The last error of `work`.
pub async fn retried<T, E, F>(mut work: impl FnMut() -> F) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
    E: AsConflict,
{
    const ATTEMPTS: u32 = 4;
    let mut attempt = 1;
    loop {
        match work().await {
            Err(error) if attempt < ATTEMPTS && error.is_conflict() => {
                tokio::time::sleep(Duration::from_millis(u64::from(attempt) * 5)).await;
                attempt += 1;
            }
            outcome => return outcome,
        }
    }
}

/// Errors that can tell whether the same work may simply be run again.
pub trait AsConflict {
    /// Returns whether two transactions stood in each other's way.
    fn is_conflict(&self) -> bool;
}

impl AsConflict for DbError {
    fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict(_))
    }
}

fn pool(url: &SecretString, max_connections: u32, plan_cache_mode: &'static str) -> Result<PgPool, DbError> {
    let options = PgConnectOptions::from_str(url.expose_secret())?
        // A worker that is stopped inside a transaction must not hold its locks for longer than a shard takes to move.
        .options([
            ("idle_in_transaction_session_timeout", "5s"),
            ("statement_timeout", "30s"),
            ("lock_timeout", "10s"),
            // Every statement of a service goes by an index. A plan that was made while its tables were empty would read
            // them whole, and is kept while they fill.
            ("enable_seqscan", "off"),
            ("plan_cache_mode", plan_cache_mode),
        ])
        .statement_cache_capacity(256);
    Ok(PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(Duration::from_secs(3))
        // A dead connection shows at its first statement; a ping before each use would cost a round trip a request.
        .test_before_acquire(false)
        .connect_lazy_with(options))
}
