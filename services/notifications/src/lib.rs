//! Notifications: the right person is told, once.
//!
//! Reading order: [`domain`] (the rules, pure), [`app`] (one file a use case: [`app::notify`] makes messages,
//! [`app::send`] carries them), [`store`] (SQL), [`channels`] (providers), [`grpc`] (parse, call, convert), [`events`]
//! (what is listened to and told).

pub mod api;
pub mod app;
pub mod channels;
pub mod config;
pub mod domain;
pub mod error;
pub mod events;
pub mod grpc;
pub mod store;
pub mod wake;

use std::{sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use jiff::tz::TimeZone;
use reflex_events::{Consumer, STREAM_SHARDS, dead_letter_service::DeadLetters};
use reflex_host::{AuthConfig, Environment, Foundation, FoundationConfig, Program, Schema, ServerConfig};
use reflex_rpc::{page::PageTokens, readiness::Readiness};
use reflex_runtime::telemetry::TelemetryConfig;
use reflex_sealing::Sealer;
use secrecy::ExposeSecret;
use tokio::net::TcpListener;

use app::{
    App,
    forget::Janitor,
    notify::Notifier,
    send::{Sender, SenderParts},
    send_loop::{SEND_SHARDS, SendLoop},
    settings::SettingsCache,
    watch_inbox::{WatchLimits, Watchers},
};
use channels::{
    Providers,
    http::{HttpClient, Timeouts},
};
use domain::channel::EndpointRules;
use events::LeadEvents;
use wake::Wake;

pub use config::{Config, DEFAULTS};
pub use error::Error;

/// The schema of this service.
pub const SCHEMA: Schema = Schema {
    parts: &[
        &reflex_pg::migrate::MIGRATIONS,
        &reflex_events::MIGRATIONS,
        &store::MIGRATIONS,
    ],
};

/// Fewer characters make no key.
const MIN_KEY: usize = 32;

/// The service as a program.
pub struct Notifications;

impl Program for Notifications {
    type Config = Config;
    const NAME: &'static str = "reflex-notifications";
    const ENV_PREFIX: &'static str = "REFLEX_NOTIFICATIONS";
    const DEFAULTS: &'static str = DEFAULTS;

    fn schema() -> Schema {
        SCHEMA
    }

    fn common(config: &Config) -> (FoundationConfig, ServerConfig, AuthConfig, TelemetryConfig) {
        (
            config.foundation(),
            config.server.clone(),
            config.auth.clone(),
            config.telemetry.clone(),
        )
    }

    async fn serve(config: Config, environment: Environment, listener: TcpListener) -> anyhow::Result<Readiness> {
        let foundation = Foundation::open(&config.foundation(), SCHEMA, environment).await?;
        serve(&config, &foundation, listener).await
    }
}

/// Starts the service on an open foundation: its loops, then its server.
///
/// # Errors
/// When a setting cannot be used.
pub async fn serve(config: &Config, foundation: &Foundation, listener: TcpListener) -> anyhow::Result<Readiness> {
    check(config)?;
    let zone = TimeZone::get(&config.time_zone).context("time_zone")?;
    let sealer = Sealer::new(&config.sealing_key)?;
    let pages = PageTokens::new(config.page_token_key.expose_secret().as_bytes());

    let Environment { clock, ids, tasks, .. } = foundation.environment.clone();
    let database = foundation.db.clone();
    let settings = Arc::new(SettingsCache::default());
    let sender_wake = Wake::default();

    let months = zone.clone();
    let notifier = Notifier {
        clock: Arc::clone(&clock),
        ids: Arc::clone(&ids),
        settings: Arc::clone(&settings),
        zone,
    };
    let endpoint_rules = EndpointRules {
        allow_plain_http: config.allow_plain_http,
        allowed_hosts: config.allowed_endpoint_hosts.clone(),
    };
    let http = HttpClient::new(Timeouts::default(), endpoint_rules.clone());
    let sender = Sender::new(SenderParts {
        database: database.clone(),
        clock: Arc::clone(&clock),
        ids: Arc::clone(&ids),
        sealer: sealer.clone(),
        providers: Providers::new(&http, &clock),
        settings: Arc::clone(&settings),
        zone: months.clone(),
        relay_wake: foundation.relay.clone(),
    });
    let send_loop = SendLoop {
        database: database.clone(),
        clock: Arc::clone(&clock),
        sender,
        wake: sender_wake.clone(),
    };
    let watch = WatchLimits {
        watchers: config.watch.max_watchers,
        items: config.watch.queue,
        patience: Duration::from_secs(config.watch.patience_seconds),
    };
    let watchers = Arc::new(Watchers::new(database.clone(), watch, Wake::default()));
    let lead_events = Arc::new(LeadEvents {
        notifier,
        sender_wake: sender_wake.clone(),
        watchers: Arc::clone(&watchers),
    });
    let janitor = Janitor {
        database: database.clone(),
        clock: Arc::clone(&clock),
        retention: config.retention,
    };
    let rpc = grpc::Rpc {
        app: Arc::new(App {
            database: database.clone(),
            clock: Arc::clone(&clock),
            ids,
            sealer,
            zone: months,
            endpoint_rules,
            settings,
            relay_wake: foundation.relay.clone(),
            sender_wake,
        }),
        watchers: Arc::clone(&watchers),
        pages: pages.clone(),
    };
    let dead_letters = DeadLetters::new(database.clone(), Arc::clone(&lead_events), pages);
    let consumer = Consumer::new(
        database,
        foundation.redis.clone(),
        events::LEADS_STREAM,
        events::SERVICE,
        lead_events,
        clock,
    );

    foundation.spawn_shards("consume-leads", STREAM_SHARDS, consumer);
    foundation.spawn_shards("send", SEND_SHARDS, send_loop);
    foundation.spawn_shards("forget", 1, janitor);
    foundation.spawn_relay(events::SERVICE, events::STREAM);
    tasks.spawn("watch-inboxes", watchers.run(tasks.stop()));
    let routes = grpc::routes(&rpc, dead_letters);
    Ok(foundation
        .spawn_server(
            events::SERVICE,
            &config.server,
            listener,
            routes,
            grpc::SERVICES,
            grpc::PACKAGES,
        )
        .await)
}

/// Checks settings that no type can.
fn check(config: &Config) -> anyhow::Result<()> {
    let key_length = config.page_token_key.expose_secret().len();
    ensure!(
        key_length >= MIN_KEY,
        "page_token_key must have at least {MIN_KEY} characters"
    );
    let retention = config.retention;
    ensure!(
        retention.message_days >= retention.inbox_days,
        "retention.message_days must not be less than retention.inbox_days"
    );
    ensure!(
        u64::from(retention.repeat_days) * 24 > config.outbox_retention_hours,
        "retention.repeat_days must be longer than outbox_retention_hours"
    );
    Ok(())
}
