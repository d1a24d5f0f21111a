//! Settings that every service with a database has, as sections of its own settings.

use std::path::PathBuf;

use reflex_pg::DatabaseConfig;
use secrecy::SecretString;
use serde::Deserialize;

/// How a service is called.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// Address to listen on, for example `0.0.0.0:50051`.
    pub listen: String,
    /// Longest a call may take, in seconds; callers may ask for less.
    pub timeout_seconds: u64,
    /// Calls at once; more are refused with a delay to retry after.
    pub max_in_flight: usize,
    /// How long to serve on after readiness went off, in seconds.
    pub drain_seconds: u64,
    /// How long running calls and loops get to end, in seconds.
    pub grace_seconds: u64,
}

/// Where Redis is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedisConfig {
    /// Its URL.
    pub url: SecretString,
    /// What every key starts with, so that several installations can share one.
    pub prefix: String,
}

/// Whose tokens are believed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthConfig {
    /// File with the public keys (JWKS).
    pub jwks_file: PathBuf,
    /// The issuer that tokens must name.
    pub issuer: String,
}

/// What a foundation is opened from.
#[derive(Debug, Clone)]
pub struct FoundationConfig {
    /// The service's own database.
    pub database: DatabaseConfig,
    /// The wire between services.
    pub redis: RedisConfig,
    /// How long published facts are kept, so that a wiped Redis can be refilled, in hours.
    pub outbox_retention_hours: u64,
}
