//! Settings; `config.default.toml` explains each.

use reflex_host::{AuthConfig, FoundationConfig, RedisConfig, ServerConfig};
use reflex_pg::DatabaseConfig;
use reflex_runtime::telemetry::TelemetryConfig;
use secrecy::SecretString;
use serde::Deserialize;

use crate::app::forget::Retention;

/// The default settings, as TOML.
pub const DEFAULTS: &str = include_str!("../config.default.toml");

/// Settings of notifications.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Signs page and resume tokens.
    pub page_token_key: SecretString,
    /// Encrypts the addresses and secrets of channels.
    pub sealing_key: SecretString,
    /// Hosts that channels may have; none, or "*" among others, allows every public one.
    pub allowed_endpoint_hosts: Vec<String>,
    /// Whether channels may have `http://` addresses.
    pub allow_plain_http: bool,
    /// Zone in which messages show times.
    pub time_zone: String,
    /// Links of messages.
    pub links: LinksConfig,
    /// How long published facts are kept, in hours.
    pub outbox_retention_hours: u64,
    /// How long things are kept.
    pub retention: Retention,
    /// What watching inboxes may cost.
    pub watch: WatchConfig,
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

/// Links of messages, by which people act on them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinksConfig {
    /// Where the web reaches the gateway; empty for messages without links.
    pub base_url: String,
    /// Signs links.
    pub key: SecretString,
    /// Keys that signed links which may still be used.
    pub former_keys: Vec<SecretString>,
    /// How long links are good, in hours.
    pub hours: i64,
}

/// What watching inboxes may cost.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WatchConfig {
    /// Inboxes watched at once in this process.
    pub max_watchers: usize,
    /// Items that wait for a reader who is slow.
    pub queue: usize,
    /// How long a reader may take nothing while items wait, in seconds.
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
