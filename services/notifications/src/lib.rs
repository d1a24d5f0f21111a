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
use jiff::{SignedDuration, tz::TimeZone};
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
    subscriptions::{
        Subscribing,
        dispatch::{DISPATCH_SHARDS, Dispatcher},
        fan_out::FanOut,
        listeners::Listeners,
    },
    watch_inbox::{WatchLimits, Watchers},
};
use channels::{
    Providers,
    http::{HttpClient, Timeouts},
};
use domain::{action_link::Links, channel::EndpointRules};
use events::{LeadEvents, OwnEvents};
use wake::Wake;

pub use config::{Config, DEFAULTS, LinksConfig};
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
/// Longest base of a link: three links fit into the shortest message of a provider.
const MAX_BASE_URL: usize = 200;
/// Longest time a link is good: leads knows a repeated request for longer.
const MAX_LINK_HOURS: i64 = 240;

/// How long endpoints of systems outside may take.
const ENDPOINT_PATIENCE: Timeouts = Timeouts {
    connect: Duration::from_secs(3),
    whole: Duration::from_secs(10),
};

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

    let notifier = Notifier {
        clock: Arc::clone(&clock),
        ids: Arc::clone(&ids),
        settings: Arc::clone(&settings),
        zone: zone.clone(),
    };
    let links = links(&config.links).map(Arc::new);
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
        links: links.clone(),
        settings: Arc::clone(&settings),
        zone: zone.clone(),
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
    let (subscribing, fan_out) = spawn_subscribing(foundation, &sealer, &endpoint_rules, zone.clone()).await?;
    let lead_events = Arc::new(LeadEvents {
        notifier,
        sender_wake: sender_wake.clone(),
        watchers: Arc::clone(&watchers),
        fan_out,
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
            endpoint_rules,
            links,
            zone,
            settings,
            relay_wake: foundation.relay.clone(),
            sender_wake,
            subscribing,
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

/// Starts what tells systems outside; what leads tells comes by the consumer of leads.
async fn spawn_subscribing(
    foundation: &Foundation,
    sealer: &Sealer,
    rules: &EndpointRules,
    zone: TimeZone,
) -> anyhow::Result<(Subscribing, Arc<FanOut>)> {
    let Environment { clock, tasks, .. } = foundation.environment.clone();
    let database = foundation.db.clone();
    let subscribing = Subscribing {
        listeners: Arc::new(Listeners::new(database.clone(), Arc::clone(&clock), zone)),
        http: HttpClient::new(ENDPOINT_PATIENCE, rules.clone()),
        wake: Wake::default(),
    };
    // Known before the first event comes, so that none is passed over that somebody wants.
    subscribing.listeners.refresh().await.context("reading subscriptions")?;
    let fan_out = Arc::new(FanOut::new(
        Arc::clone(&subscribing.listeners),
        subscribing.wake.clone(),
    ));
    let dispatcher = Dispatcher {
        database: database.clone(),
        clock: Arc::clone(&clock),
        http: subscribing.http.clone(),
        sealer: sealer.clone(),
        wake: subscribing.wake.clone(),
    };
    let own_events = OwnEvents {
        fan_out: Arc::clone(&fan_out),
    };
    let consumer = Consumer::new(
        database,
        foundation.redis.clone(),
        events::STREAM,
        events::SERVICE,
        own_events,
        clock,
    );
    foundation.spawn_shards("consume-own", STREAM_SHARDS, consumer);
    foundation.spawn_shards("dispatch", DISPATCH_SHARDS, dispatcher);
    let listeners = Arc::clone(&subscribing.listeners);
    tasks.spawn("watch-subscriptions", listeners.run(tasks.stop()));
    Ok((subscribing, fan_out))
}

/// Checks settings that no type can.
fn check(config: &Config) -> anyhow::Result<()> {
    let key_length = config.page_token_key.expose_secret().len();
    ensure!(
        key_length >= MIN_KEY,
        "page_token_key must have at least {MIN_KEY} characters"
    );
    if !config.links.base_url.is_empty() {
        check_links(config)?;
    }
    let retention = config.retention;
    ensure!(
        retention.message_days >= retention.inbox_days,
        "retention.message_days must not be less than retention.inbox_days"
    );
    ensure!(
        retention.event_days > app::forget::WAIT_DAYS,
        "retention.event_days must be more than {}, the days events wait for endpoints",
        app::forget::WAIT_DAYS
    );
    ensure!(
        u64::from(retention.repeat_days) * 24 > config.outbox_retention_hours,
        "retention.repeat_days must be longer than outbox_retention_hours"
    );
    Ok(())
}

/// Checks where links lead, and what signs them.
fn check_links(config: &Config) -> anyhow::Result<()> {
    let links = &config.links;
    let url: http::Uri = links.base_url.parse().context("links.base_url")?;
    let is_safe = url.scheme_str() == Some("https") || (config.allow_plain_http && url.scheme_str() == Some("http"));
    ensure!(
        is_safe && url.host().is_some() && url.query().is_none() && links.base_url.len() <= MAX_BASE_URL,
        "links.base_url must begin with https://, have no query and at most {MAX_BASE_URL} characters"
    );
    // What is in a message must stay one link, whatever its markup.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b":/.-_~[]".contains(&byte);
    ensure!(
        links.base_url.bytes().all(is_plain),
        "links.base_url has unusual characters"
    );
    let mut keys = std::iter::once(&links.key).chain(&links.former_keys);
    ensure!(
        keys.all(|key| key.expose_secret().len() >= MIN_KEY),
        "links.key and links.former_keys must have at least {MIN_KEY} characters"
    );
    ensure!(
        (1..=MAX_LINK_HOURS).contains(&links.hours),
        "links.hours must be 1 to {MAX_LINK_HOURS}"
    );
    Ok(())
}

/// Makes what makes links, where there shall be some.
fn links(config: &LinksConfig) -> Option<Links> {
    let keys = std::iter::once(&config.key).chain(&config.former_keys);
    let keys = keys.map(|key| key.expose_secret().as_bytes().to_vec()).collect();
    let good_for = SignedDuration::from_hours(config.hours);
    (!config.base_url.is_empty()).then(|| Links::new(&config.base_url, keys, good_for))
}
