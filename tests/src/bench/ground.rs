//! What both sides stand on: one PostgreSQL and one Redis, as careful with data as in production, with databases for the
//! services and one for the bare loops.

use std::{
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use redis::aio::MultiplexedConnection;
use reflex_host::Environment;
use reflex_pg::{DatabaseConfig, migrate};
use reflex_rpc::{
    auth::{Claims, Minter, Tenants, Verifier},
    client::{self, Authorized},
    identity::Role,
};
use reflex_runtime::{
    clock::{SharedClock, SystemClock},
    ids::SystemIds,
    servers::{PrivateServers, ServersOptions},
    tasks::Tasks,
};
use reflex_standalone::{Places, Secrets, secrets::ISSUER};
use reflex_tenancy::{TenantId, TenantSet};
use secrecy::ExposeSecret;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, postgres::PgConnectOptions};
use tempfile::TempDir;
use tonic::service::interceptor::InterceptedService;

use super::floor;
use crate::suite::Wire;

/// Database of the bare loops.
const FLOOR: &str = "reflex_bench";
/// Database of leads by itself.
const LEADS_ALONE: &str = "reflex_bench_leads";
/// Every database that is written to.
const DATABASES: [&str; 4] = [FLOOR, LEADS_ALONE, "reflex_leads", "reflex_notifications"];

/// Servers and databases.
pub(super) struct Ground {
    pub(super) secrets: Secrets,
    /// Where all services keep their data.
    pub(super) places: Places,
    pub(super) clock: SharedClock,
    sources: AtomicUsize,
    tasks: Tasks,
    servers: PrivateServers,
    _home: TempDir,
}

impl Ground {
    /// Starts the servers in a directory that goes with this value, and makes the databases.
    pub(super) async fn prepare() -> anyhow::Result<Self> {
        let home = tempfile::Builder::new().prefix("reflex-bench-").tempdir()?;
        let servers = PrivateServers::start(ServersOptions {
            data_dir: home.path().to_owned(),
            durable: true,
            postgres_port: None,
            redis_port: None,
        })
        .await?;
        let secrets = Secrets::generate();
        let places = Places::make(&servers, &secrets).await?;
        let mut owner = PgConnection::connect(&servers.postgres_url("postgres")).await?;
        for database in [FLOOR, LEADS_ALONE] {
            owner
                .execute(AssertSqlSafe(format!("create database {database}")))
                .await?;
        }
        owner.close().await?;
        migrate::migrate(&servers.postgres_url(FLOOR), &[&migrate::MIGRATIONS]).await?;
        migrate::migrate(&servers.postgres_url(LEADS_ALONE), reflex_leads::SCHEMA.parts).await?;
        floor::create_tables(&servers.postgres_url(FLOOR)).await?;
        Ok(Self {
            secrets,
            places,
            clock: Arc::new(SystemClock::new()),
            sources: AtomicUsize::new(0),
            tasks: Tasks::new(),
            servers,
            _home: home,
        })
    }

    /// Stops the servers in order.
    pub(super) async fn leave(self) {
        self.servers.stop().await;
    }

    /// Returns the surroundings of one more service.
    pub(super) fn environment(&self) -> anyhow::Result<Environment> {
        let verifier = Verifier::from_jwks(&self.secrets.jwks_json, ISSUER, Arc::clone(&self.clock))?;
        Ok(Environment {
            clock: Arc::clone(&self.clock),
            ids: Arc::new(SystemIds),
            tasks: Tasks::new(),
            verifier: Arc::new(verifier),
        })
    }

    /// Returns where leads by itself keeps its data.
    pub(super) fn leads_alone(&self) -> DatabaseConfig {
        self.in_database(LEADS_ALONE)
    }

    /// Returns the database of the bare loops, for pools like those of a service.
    pub(super) fn floor_as_service(&self) -> DatabaseConfig {
        self.in_database(FLOOR)
    }

    fn in_database(&self, name: &str) -> DatabaseConfig {
        let of_leads = &self.places.leads;
        let elsewhere = |url: &secrecy::SecretString| {
            let url = url.expose_secret();
            let server = url.rfind('/').map_or("", |end| &url[..end]);
            format!("{server}/{name}").into()
        };
        DatabaseConfig {
            app_url: elsewhere(&of_leads.app_url),
            worker_url: elsewhere(&of_leads.worker_url),
            owner_url: elsewhere(&of_leads.owner_url),
            max_connections: of_leads.max_connections,
        }
    }

    /// Returns how a bare loop connects, as the owner of the tables in `schema`.
    pub(super) fn floor(&self, schema: &str) -> anyhow::Result<PgConnectOptions> {
        let options = PgConnectOptions::from_str(&self.servers.postgres_url(FLOOR))?;
        Ok(options.options([("search_path", schema)]))
    }

    /// Returns a connection to Redis without time limits, as blocking reads need.
    pub(super) async fn redis(&self) -> anyhow::Result<MultiplexedConnection> {
        let config = redis::AsyncConnectionConfig::new().set_response_timeout(None);
        let client = redis::Client::open(self.servers.redis_url())?;
        Ok(client.get_multiplexed_async_connection_with_config(&config).await?)
    }

    /// Returns a way to call a server of ours over a connection of its own.
    pub(super) fn wire(&self, url: &str, tenant: &TenantId, role: Role) -> anyhow::Result<Wire> {
        let channel = client::connect(url, &self.tasks)?;
        let secrets = &self.secrets;
        let minter = Minter::new(&secrets.private_pem, &secrets.kid, ISSUER, Arc::clone(&self.clock))?;
        let claims = Claims {
            subject: "bench".to_owned(),
            tenants: Tenants::Of(TenantSet::one(tenant)),
            roles: vec![role],
            member: None,
        };
        let token = minter.mint(&claims, Duration::from_hours(24));
        let authorized = Authorized::with_token(&token)?.for_tenant(tenant);
        Ok(InterceptedService::new(channel, authorized))
    }

    /// Returns a source that no lead has come from yet: several goals leave their leads in the same tables.
    pub(super) fn new_source(&self) -> String {
        format!("官网{}", self.sources.fetch_add(1, Ordering::Relaxed))
    }

    /// Lets PostgreSQL write out what is in memory, so that no side pays for the other.
    pub(super) async fn write_out(&self) -> anyhow::Result<()> {
        let mut owner = PgConnection::connect(&self.servers.postgres_url("postgres")).await?;
        owner.execute("checkpoint").await?;
        Ok(owner.close().await?)
    }

    /// Lets PostgreSQL count its rows, as it does by itself within a minute: a bench that begins on empty tables would
    /// measure plans for empty tables.
    pub(super) async fn count_rows(&self) -> anyhow::Result<()> {
        for database in DATABASES {
            let mut owner = PgConnection::connect(&self.servers.postgres_url(database)).await?;
            owner.execute("analyze").await?;
            owner.close().await?;
        }
        Ok(())
    }
}
