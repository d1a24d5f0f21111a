//! What a service stands on: its database, Redis, clock, ids and tasks.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, bail};
use reflex_events::{Redis, Relay, RelayWake};
use reflex_pg::{
    Database, DbError, catalogue,
    lease::{ShardWorker, Shards},
    migrate::{self, MigrateError},
    statistics::Statistics,
};
use reflex_rpc::{
    auth::Verifier,
    readiness::Readiness,
    serve::{self, ServeOptions},
    server::{ServerOptions, ServerStack},
};
use reflex_runtime::{clock::SharedClock, ids::SharedIds, tasks::Tasks};
use secrecy::ExposeSecret;
use sqlx::migrate::Migrator;
use tokio::net::TcpListener;
use tonic::service::Routes;
use tracing::{info, warn};
use uuid::Uuid;

use crate::config::{FoundationConfig, ServerConfig};

/// How long to wait between two looks at a database or Redis that is away at the start.
const PATIENCE: Duration = Duration::from_millis(500);

/// What the surroundings of a service decide: a process takes the real ones, a test its own.
#[derive(Clone)]
pub struct Environment {
    /// The present time.
    pub clock: SharedClock,
    /// New ids.
    pub ids: SharedIds,
    /// Where loops run; stops them together.
    pub tasks: Tasks,
    /// Whose tokens are believed.
    pub verifier: Arc<Verifier>,
}

/// A service's schema.
#[derive(Clone, Copy)]
pub struct Schema {
    /// All parts it is made of, those of the libs included.
    pub parts: &'static [&'static Migrator],
}

/// What a service stands on.
#[derive(Clone)]
pub struct Foundation {
    /// Its database.
    pub db: Database,
    /// The wire between services.
    pub redis: Redis,
    /// Its surroundings.
    pub environment: Environment,
    /// Wakes its relay.
    pub relay: RelayWake,
    /// This process among the replicas.
    pub owner: Uuid,
    outbox_retention: Duration,
}

impl Foundation {
    /// Opens the database and Redis, waiting for them if they are away, and checks that both keep our promises: schema up
    /// to date, tenants kept apart, nothing evicted.
    ///
    /// # Errors
    /// When a URL is malformed, the schema is stale, row security has a hole, or Redis may evict.
    pub async fn open(config: &FoundationConfig, schema: Schema, environment: Environment) -> anyhow::Result<Self> {
        let db = Database::connect(&config.database).context("the database's URLs")?;
        loop {
            match migrate::check_current(&db.app, schema.parts).await {
                Ok(()) => break,
                Err(MigrateError::Database(error @ DbError::Unavailable(_))) => {
                    warn!(%error, "waiting for the database");
                }
                Err(error) => return Err(error.into()),
            }
            tokio::time::sleep(PATIENCE).await;
        }
        let findings = catalogue::findings(&db.app).await?;
        if !findings.is_empty() {
            bail!("the database does not keep tenants apart: {}", findings.join("; "));
        }
        let redis = Redis::new(config.redis.url.expose_secret(), &config.redis.prefix).context("the Redis URL")?;
        // Facts wait in the outbox while Redis is away, so that is no reason to wait here.
        match redis.eviction_policy().await {
            Ok(policy) if policy == "noeviction" => {}
            Ok(policy) => bail!("redis has maxmemory-policy {policy}, which loses facts: set it to noeviction"),
            Err(error) => warn!(%error, "redis is away, facts wait in the outbox"),
        }
        let owner = environment.ids.next();
        let outbox_retention = Duration::from_secs(config.outbox_retention_hours * 3600);
        let foundation = Self {
            db,
            redis,
            environment,
            relay: RelayWake::default(),
            owner,
            outbox_retention,
        };
        let statistics = Statistics::new(foundation.db.worker.clone());
        foundation.spawn_shards("refresh-statistics", 1, statistics);
        Ok(foundation)
    }

    /// Runs a group of shards: one worker a shard over all replicas.
    pub fn spawn_shards<W: ShardWorker>(&self, group: &'static str, count: i16, worker: W) {
        let shards = Shards::new(self.db.worker.clone(), self.owner, group, count, worker);
        let stop = self.environment.tasks.stop();
        self.environment.tasks.spawn(group, shards.run(stop));
    }

    /// Runs the relay of service `source` to its stream.
    pub fn spawn_relay(&self, source: &'static str, stream: &'static str) {
        let relay = Relay::new(
            self.db.clone(),
            self.redis.clone(),
            source,
            stream,
            self.outbox_retention,
            self.relay.clone(),
        );
        self.spawn_shards("relay", 1, relay);
    }

    /// Runs the gRPC server and says that the service is ready.
    pub async fn spawn_server(
        &self,
        name: &'static str,
        config: &ServerConfig,
        listener: TcpListener,
        routes: Routes,
        services: &[&'static str],
        packages: &'static [&'static str],
    ) -> Readiness {
        let readiness = Readiness::new(services).await;
        let stack = ServerStack::new(ServerOptions {
            verifier: Arc::clone(&self.environment.verifier),
            timeout: Duration::from_secs(config.timeout_seconds),
            max_in_flight: config.max_in_flight,
        });
        let options = ServeOptions {
            listener,
            routes,
            readiness: readiness.clone(),
            packages,
        };
        let stop = self.environment.tasks.stop();
        self.environment.tasks.spawn(name, serve::serve(options, stack, stop));
        readiness.on().await;
        info!(service = name, "ready");
        readiness
    }
}
