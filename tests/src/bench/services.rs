//! The services that goals are about, started for one goal and stopped after it.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use redis::{
    AsyncCommands,
    aio::MultiplexedConnection,
    streams::{StreamInfoGroupsReply, StreamInfoStreamReply},
};
use reflex_events::{Redis, STREAM_SHARDS};
use reflex_host::{Environment, Foundation, RedisConfig};
use reflex_pg::DatabaseConfig;
use reflex_runtime::config;
use reflex_timers::TimerWake;
use secrecy::ExposeSecret;
use sqlx::PgPool;
use tokio::{
    net::TcpListener,
    time::{Instant, sleep},
};

use super::ground::Ground;
use crate::suite::Suite;

/// How long services may take to work off what a round left.
const REST_LIMIT: Duration = Duration::from_mins(2);
/// How long services may take to stop.
const GRACE: Duration = Duration::from_secs(10);
const CAPTURED: &str = "select not exists (select from leads where state = 'captured')";
const RELAYED: &str = "select not exists (select from outbox_pending)";

/// Leads by itself, as in a cluster where notifications runs on another machine.
pub(super) struct LeadsAlone {
    pub(super) url: String,
    /// Its database, for the owner, who sees everything.
    pub(super) owner: PgPool,
    pub(super) database: DatabaseConfig,
    streams: Vec<String>,
    environment: Environment,
}

impl LeadsAlone {
    pub(super) async fn start(ground: &Ground) -> anyhow::Result<Self> {
        let mut settings: reflex_leads::Config = config::load(reflex_leads::DEFAULTS, None, "REFLEX_LEADS")?;
        settings.database = ground.leads_alone();
        settings.redis = RedisConfig {
            prefix: "alone:".into(),
            ..ground.places.redis.clone()
        };
        settings.page_token_key = ground.secrets.page_token_key.clone().into();
        let environment = ground.environment()?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let foundation = Foundation::open(&settings.foundation(), reflex_leads::SCHEMA, environment.clone()).await?;
        reflex_leads::serve(&settings, &foundation, listener, TimerWake::default()).await?;
        Ok(Self {
            url,
            owner: owner_pool(&settings.database)?,
            streams: shards(&foundation.redis, reflex_leads::events::STREAM),
            database: settings.database,
            environment,
        })
    }

    /// Returns the keys of its stream's shards.
    pub(super) fn stream_keys(&self) -> &[String] {
        &self.streams
    }

    /// Waits until it has nothing left to do.
    pub(super) async fn rest(&self) -> anyhow::Result<()> {
        eventually(async || Ok(holds(&self.owner, CAPTURED).await? && holds(&self.owner, RELAYED).await?)).await
    }

    pub(super) async fn stop(self) -> anyhow::Result<()> {
        Ok(self.environment.tasks.shutdown(GRACE).await?)
    }
}

/// All services.
pub(super) struct AllServices {
    pub(super) suite: Suite,
    /// The databases, for their owner.
    pub(super) leads: PgPool,
    pub(super) notifications: PgPool,
    streams: Vec<String>,
    redis: MultiplexedConnection,
}

impl AllServices {
    pub(super) async fn start(ground: &Ground) -> anyhow::Result<Self> {
        let places = ground.places.clone();
        let redis = Redis::new(places.redis.url.expose_secret(), &places.redis.prefix)?;
        Ok(Self {
            leads: owner_pool(&places.leads)?,
            notifications: owner_pool(&places.notifications)?,
            streams: shards(&redis, reflex_leads::events::STREAM),
            redis: ground.redis().await?,
            suite: Suite::start_on(places, ground.secrets.clone(), Arc::clone(&ground.clock)).await,
        })
    }

    /// Waits until they have nothing left to do.
    pub(super) async fn rest(&self) -> anyhow::Result<()> {
        eventually(async || {
            let written = holds(&self.leads, CAPTURED).await?
                && holds(&self.leads, RELAYED).await?
                && holds(&self.notifications, RELAYED).await?;
            Ok(written && self.is_consumed().await?)
        })
        .await
    }

    /// Whether notifications has read and acknowledged everything.
    async fn is_consumed(&self) -> anyhow::Result<bool> {
        let mut redis = self.redis.clone();
        for key in &self.streams {
            if !redis.exists::<_, bool>(key).await? {
                continue;
            }
            let stream: StreamInfoStreamReply = redis.xinfo_stream(key).await.context("the stream")?;
            let groups: StreamInfoGroupsReply = redis.xinfo_groups(key).await.context("its groups")?;
            let is_behind = |group: &redis::streams::StreamInfoGroup| {
                group.pending > 0 || group.last_delivered_id != stream.last_generated_id
            };
            if groups.groups.iter().any(is_behind) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(super) async fn stop(self) {
        self.suite.stop().await;
    }
}

fn shards(redis: &Redis, stream: &str) -> Vec<String> {
    (0..STREAM_SHARDS)
        .map(|shard| redis.stream_key(stream, shard))
        .collect()
}

fn owner_pool(database: &DatabaseConfig) -> anyhow::Result<PgPool> {
    Ok(PgPool::connect_lazy(database.owner_url.expose_secret())?)
}

async fn holds(pool: &PgPool, question: &'static str) -> anyhow::Result<bool> {
    Ok(sqlx::query_scalar(question).fetch_one(pool).await?)
}

async fn eventually(mut is_so: impl AsyncFnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let limit = Instant::now() + REST_LIMIT;
    while !is_so().await? {
        ensure!(
            Instant::now() < limit,
            "the services still have work left after {REST_LIMIT:?}"
        );
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
