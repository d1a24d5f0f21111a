//! Leads: from a form to the person who calls.
//!
//! Reading order: [`domain`] (the rules, pure), `app` (one file a use case; `app::intake` is the loop that routes),
//! `store` (SQL), [`ports`] (whom the gate asks), `grpc` (parse, call, convert), [`events`] (what is told), [`setup`] (what a tenant has set up, cached).

mod app;
mod config;
mod convert;
pub mod domain;
mod error;
pub mod events;
mod grpc;
pub mod ports;
pub mod setup;
mod store;

use std::{sync::Arc, time::Duration};

use reflex_events::RelayWake;
use reflex_host::{AuthConfig, Environment, Foundation, FoundationConfig, Program, Schema, ServerConfig};
use reflex_pg::batcher::batcher;
use reflex_rpc::{page::PageTokens, readiness::Readiness};
use reflex_runtime::telemetry::TelemetryConfig;
use reflex_sealing::Sealer;
use reflex_timers::{TIMER_SHARDS, TimerLoop, TimerWake};
use secrecy::ExposeSecret;
use sqlx::migrate::Migrator;
use tokio::net::TcpListener;

use crate::{
    app::{
        App, ImportsUnderWay, IntakeWake,
        capture_lead::CaptureBatches,
        capture_webhook::WebhookPosts,
        fire_timers::LeadTimers,
        intake::Intake,
        look_up_companies::{CompanyLookups, LookupWake},
        recompute_fields::{FieldRecomputes, RecomputeWake},
        watch_leads::{WatchLimits, Watchers},
    },
    ports::HttpRegistry,
    setup::Setups,
    store::{company_lookups::LOOKUP_SHARDS, field_recomputes::RECOMPUTE_SHARDS, reroute::INTAKE_SHARDS},
};

pub use config::{Config, DEFAULTS};
pub use error::Error;

static OWN_MIGRATIONS: Migrator = sqlx::migrate!();

/// The schema of this service.
pub const SCHEMA: Schema = Schema {
    parts: &[
        &reflex_pg::migrate::MIGRATIONS,
        &reflex_events::MIGRATIONS,
        &reflex_timers::MIGRATIONS,
        &OWN_MIGRATIONS,
    ],
};

/// The service as a program.
pub struct Leads;

impl Program for Leads {
    type Config = Config;
    const NAME: &'static str = "reflex-leads";
    const ENV_PREFIX: &'static str = "REFLEX_LEADS";
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
        serve(&config, &foundation, listener, TimerWake::default()).await
    }
}

/// Starts the service on an open foundation: its loops, then its server. `timers` wakes its timer loop, for tests that
/// move their clock.
///
/// # Errors
/// When a setting cannot be used.
pub async fn serve(
    config: &Config,
    foundation: &Foundation,
    listener: TcpListener,
    timers: TimerWake,
) -> anyhow::Result<Readiness> {
    let environment = &foundation.environment;
    let relay: RelayWake = foundation.relay.clone();
    let intake = IntakeWake::default();
    let (captures, capture_loop) = batcher(
        config.capture_queue,
        config.capture_batch,
        CaptureBatches {
            db: foundation.db.clone(),
            clock: environment.clock.clone(),
            ids: environment.ids.clone(),
            intake: intake.clone(),
        },
    );
    let limits = WatchLimits {
        watchers: config.watch.max_watchers,
        changes: config.watch.queue,
        patience: Duration::from_secs(config.watch.patience_seconds),
    };
    let key = Some(&config.sealing_key).filter(|key| !key.expose_secret().is_empty());
    let sealer = key.map(Sealer::new).transpose()?;
    let watchers = Arc::new(Watchers::new(foundation.db.clone(), limits));
    environment
        .tasks
        .spawn("watch-leads", Arc::clone(&watchers).run(environment.tasks.stop()));
    let app = Arc::new(App {
        db: foundation.db.clone(),
        clock: environment.clock.clone(),
        ids: environment.ids.clone(),
        relay,
        intake,
        imports: ImportsUnderWay::default(),
        registry: HttpRegistry::new(&config.company_registry, environment.clock.clone()),
        lookups: LookupWake::default(),
        recomputes: RecomputeWake::default(),
        timers: timers.clone(),
        setups: Setups::new(environment.clock.clone()),
        pages: PageTokens::new(config.page_token_key.expose_secret().as_bytes()),
        captures,
        watchers,
        sealer,
        webhook_posts: WebhookPosts::default(),
        fact_retention: Duration::from_secs(config.outbox_retention_hours * 3_600),
    });
    environment
        .tasks
        .spawn("capture-leads", capture_loop.run(environment.tasks.stop()));
    foundation.spawn_shards("intake", INTAKE_SHARDS, Intake::new(Arc::clone(&app)));
    foundation.spawn_shards("recompute-fields", RECOMPUTE_SHARDS, FieldRecomputes(Arc::clone(&app)));
    if let Some(registry) = &app.registry {
        let lookups = CompanyLookups::new(Arc::clone(&app), registry.clone());
        foundation.spawn_shards("look-up-companies", LOOKUP_SHARDS, lookups);
    }
    let timer_loop = TimerLoop::new(
        foundation.db.clone(),
        environment.clock.clone(),
        LeadTimers(Arc::clone(&app)),
        timers,
    );
    foundation.spawn_shards("timers", TIMER_SHARDS, timer_loop);
    foundation.spawn_relay("leads", events::STREAM);
    let readiness = foundation
        .spawn_server(
            "leads",
            &config.server,
            listener,
            grpc::routes(&app),
            grpc::SERVICES,
            grpc::PACKAGES,
        )
        .await;
    Ok(readiness)
}
