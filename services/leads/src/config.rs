//! Settings; `config.default.toml` explains each.

use reflex_host::{AuthConfig, FoundationConfig, RedisConfig, ServerConfig};
use reflex_pg::DatabaseConfig;
use reflex_runtime::telemetry::TelemetryConfig;
use secrecy::SecretString;
use serde::Deserialize;

use crate::ports::RegistryConfig;

/// The default settings, as TOML.
pub const DEFAULTS: &str = include_str!("../config.default.toml");

/// Settings of leads.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Signs page tokens.
    pub page_token_key: SecretString,
    /// Seals the secrets of webhook sources; empty allows no such sources.
    pub sealing_key: SecretString,
    /// Leads that may wait to be stored.
    pub capture_queue: usize,
    /// Leads stored together at most.
    pub capture_batch: usize,
    /// How long published facts are kept, in hours.
    pub outbox_retention_hours: u64,
    /// What watching leads may cost.
    pub watch: WatchConfig,
    /// The registry of companies that the gate may ask.
    pub company_registry: RegistryConfig,
    /// How it is called.
    pub server: ServerConfig,
    /// Its database.
    pub database: DatabaseConfig,
    /// The wire to other services.
    pub redis: RedisConfig,
    /// Whose tokens are believed.
    pub auth: AuthConfig,
    /// Logs, traces, metrics.
    pub telemetry: TelemetryConfig,
}

/// What watching leads may cost.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WatchConfig {
    /// Watchers at once in this process.
    pub max_watchers: usize,
    /// Changes that wait for a reader who is slow.
    pub queue: usize,
    /// How long a reader may take nothing while changes wait, in seconds.
    pub patience_seconds: u64,
}

impl Config {
    /// Returns what the foundation is opened from.
    #[must_use]
    pub fn foundation(&self) -> FoundationConfig {
        FoundationConfig {
            database: self.database.clone(),
            redis: self.redis.clone(),
            outbox_retention_hours: self.outbox_retention_hours,
        }
    }
}
