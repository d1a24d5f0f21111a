//! What both sides stand on: one PostgreSQL and one Redis, as careful with data as in production, with the services on
//! databases of theirs and the bare loops on another one.

use std::{
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, ensure};
use redis::{AsyncCommands, aio::MultiplexedConnection, streams::StreamInfoGroupsReply};
use reflex_events::{Redis, STREAM_SHARDS};
use reflex_pg::migrate;
use reflex_rpc::{
    client::{self, Authorized},
    identity::Role,
};
use reflex_runtime::{
    clock::SystemClock,
    servers::{PrivateServers, ServersOptions},
};
use reflex_standalone::{Places, Secrets};
use reflex_tenancy::TenantId;
use secrecy::ExposeSecret;
use sqlx::{
    AssertSqlSafe, Executor, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};
use tonic::service::interceptor::InterceptedService;

use super::floor;
use crate::suite::{Suite, Wire};

/// How long the services may take to work off what a round left.
const REST_LIMIT: Duration = Duration::from_mins(2);
/// Database of the bare loops.
const FLOOR: &str = "reflex_bench";
/// Streams the services write to.
const STREAMS: [&str; 2] = [reflex_leads::events::STREAM, "notifications.v1"];

/// Servers, services and the bare loops' database.
pub(super) struct Ground {
    pub(super) suite: Suite,
    /// The database of leads, for the owner, who sees everything.
    pub(super) leads: PgPool,
    /// The database of notifications, for the owner.
    pub(super) notifications: PgPool,
    servers: PrivateServers,
    streams: Redis,
    sources: AtomicUsize,
    _home: TempDir,
}

impl Ground {
    /// Starts the servers in a directory that goes with this value, and the services on them.
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
        let leads = owner_pool(places.leads.owner_url.expose_secret())?;
        let notifications = owner_pool(places.notifications.owner_url.expose_secret())?;
        leads.execute(AssertSqlSafe(format!("create database {FLOOR}"))).await?;
        migrate::migrate(&servers.postgres_url(FLOOR), &[&migrate::MIGRATIONS]).await?;
        floor::create_tables(&servers.postgres_url(FLOOR)).await?;
        let streams = Redis::new(places.redis.url.expose_secret(), &places.redis.prefix)?;
        let suite = Suite::start_on(places, secrets, Arc::new(SystemClock::new())).await;
        Ok(Self {
            suite,
            leads,
            notifications,
            servers,
            streams,
            sources: AtomicUsize::new(0),
            _home: home,
        })
    }

    /// Stops services and servers in order.
    pub(super) async fn leave(self) {
        self.suite.stop().await;
        self.servers.stop().await;
    }

    /// Returns a source that no lead has come from yet: several goals leave their leads in the same tables.
    pub(super) fn new_source(&self) -> String {
        format!("官网{}", self.sources.fetch_add(1, Ordering::Relaxed))
    }

    /// Returns a way to call leads over a connection of its own.
    pub(super) fn leads_wire(&self, tenant: &TenantId, role: Role) -> anyhow::Result<Wire> {
        self.wire(&self.suite.leads_url(), tenant, role)
    }

    /// Returns a way to call a server of ours over a connection of its own.
    pub(super) fn wire(&self, url: &str, tenant: &TenantId, role: Role) -> anyhow::Result<Wire> {
        let channel = client::connect(url, &self.suite.environment.tasks)?;
        let token = self.suite.token(&[tenant], role, None);
        let authorized = Authorized::with_token(&token)?.for_tenant(tenant);
        Ok(InterceptedService::new(channel, authorized))
    }

    /// Returns how to connect to the bare loops' database as its owner, whose tables are those of `schema`.
    pub(super) fn floor(&self, schema: &str) -> anyhow::Result<PgConnectOptions> {
        let options = PgConnectOptions::from_str(&self.servers.postgres_url(FLOOR))?;
        Ok(options.options([("search_path", schema)]))
    }

    /// Returns the address of the bare loops' database for the role that row security binds.
    pub(super) fn floor_url_of_app(&self) -> String {
        let app_url = self.suite.places.leads.app_url.expose_secret();
        let server = app_url.rfind('/').map_or("", |end| &app_url[..end]);
        format!("{server}/{FLOOR}")
    }

    /// Returns a connection to Redis without time limits, as blocking reads need.
    pub(super) async fn redis(&self) -> anyhow::Result<MultiplexedConnection> {
        let config = redis::AsyncConnectionConfig::new().set_response_timeout(None);
        let client = redis::Client::open(self.servers.redis_url())?;
        Ok(client.get_multiplexed_async_connection_with_config(&config).await?)
    }

    /// Returns the keys of a stream's shards.
    pub(super) fn stream_keys(&self, stream: &str) -> Vec<String> {
        (0..STREAM_SHARDS)
            .map(|shard| self.streams.stream_key(stream, shard))
            .collect()
    }

    /// Waits until the services have nothing left to do, then lets PostgreSQL write out what is in memory, so that no
    /// side pays for the other.
    pub(super) async fn rest(&self) -> anyhow::Result<()> {
        let limit = Instant::now() + REST_LIMIT;
        let mut redis = self.redis().await?;
        while !self.is_idle(&mut redis).await? {
            ensure!(
                Instant::now() < limit,
                "the services still have work left after {REST_LIMIT:?}"
            );
            sleep(Duration::from_millis(20)).await;
        }
        self.leads.execute("checkpoint").await?;
        Ok(())
    }

    async fn is_idle(&self, redis: &mut MultiplexedConnection) -> anyhow::Result<bool> {
        let routed = "select not exists (select from leads where state = 'captured')";
        let relayed = "select not exists (select from outbox_pending)";
        for (pool, question) in [
            (&self.leads, routed),
            (&self.leads, relayed),
            (&self.notifications, relayed),
        ] {
            if !sqlx::query_scalar::<_, bool>(question).fetch_one(pool).await? {
                return Ok(false);
            }
        }
        for key in STREAMS.into_iter().flat_map(|stream| self.stream_keys(stream)) {
            if !is_consumed(redis, &key).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Whether every group of a stream has read and acknowledged everything.
async fn is_consumed(redis: &mut MultiplexedConnection, key: &str) -> anyhow::Result<bool> {
    if !redis.exists::<_, bool>(key).await? {
        return Ok(true);
    }
    let last = last_id(redis, key).await?;
    let groups: StreamInfoGroupsReply = redis.xinfo_groups(key).await?;
    let mut groups = groups.groups.into_iter();
    Ok(groups.all(|group| group.pending == 0 && group.last_delivered_id == last))
}

async fn last_id(redis: &mut MultiplexedConnection, key: &str) -> anyhow::Result<String> {
    let stream: redis::streams::StreamInfoStreamReply = redis.xinfo_stream(key).await.context("the stream")?;
    Ok(stream.last_generated_id)
}

fn owner_pool(url: &str) -> anyhow::Result<PgPool> {
    Ok(PgPoolOptions::new().max_connections(2).connect_lazy(url)?)
}
