//! Settings; `config.default.toml` says what each means.

use std::{collections::BTreeMap, net::SocketAddr, path::Path, time::Duration};

use reflex_runtime::{
    config::{self, ConfigError},
    lifecycle::StopOptions,
    telemetry::TelemetryConfig,
};
use secrecy::SecretString;
use serde::Deserialize;

const DEFAULTS: &str = include_str!("../config.default.toml");
const ENVIRONMENT: &str = "REFLEX_GATEWAY";

/// All settings of the gateway.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where clients connect.
    pub listen: SocketAddr,
    /// Addresses of the services by name.
    pub backends: BTreeMap<String, String>,
    /// The gateway's own token.
    pub token: TokenConfig,
    /// What a client may do.
    pub limits: Limits,
    /// How to stop.
    pub stop: StopConfig,
    /// Logs, traces, metrics.
    pub telemetry: TelemetryConfig,
}

/// What the gateway's own token is made with.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenConfig {
    /// The issuer that services trust.
    pub issuer: String,
    /// Id of the key.
    pub key_id: String,
    /// The key as PEM.
    pub key_pem: SecretString,
}

/// What a client may do.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Connections at once.
    pub max_connections: usize,
    /// Requests at once.
    pub max_in_flight: usize,
    /// Answer streams at once.
    pub max_streams: usize,
    /// Bytes of a JSON body.
    pub body_bytes: usize,
    /// Bytes of a form's body.
    pub form_bytes: usize,
    /// Bytes of a body of many lines.
    pub stream_bytes: usize,
    /// Bytes of the head of a request.
    pub head_bytes: usize,
    /// Time for the head of a request.
    pub head_timeout_ms: u64,
    /// Time for the body of a request.
    pub body_timeout_ms: u64,
    /// How long a connection may be idle.
    pub idle_timeout_ms: u64,
    /// How long a client may leave an answer unread.
    pub write_timeout_ms: u64,
    /// Time for an answer where the client says nothing.
    pub timeout_ms: u64,
    /// Longest time for an answer.
    pub max_timeout_ms: u64,
    /// Longest time of a stream.
    pub max_stream_timeout_ms: u64,
    /// Gateways a request may come through.
    pub max_hops: u32,
}

/// How to stop.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StopConfig {
    /// How long to go on serving after readiness went off.
    pub drain_delay_ms: u64,
    /// How long running requests get to end.
    pub grace_ms: u64,
}

impl Config {
    /// Reads the settings: defaults, then `file`, then the environment.
    ///
    /// # Errors
    ///
    /// Fails on a setting that is missing, unknown or malformed.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        config::load(DEFAULTS, file, ENVIRONMENT)
    }
}

impl Limits {
    pub(crate) fn head_timeout(&self) -> Duration {
        Duration::from_millis(self.head_timeout_ms)
    }

    pub(crate) fn body_timeout(&self) -> Duration {
        Duration::from_millis(self.body_timeout_ms)
    }

    pub(crate) fn idle_timeout(&self) -> Duration {
        Duration::from_millis(self.idle_timeout_ms)
    }

    pub(crate) fn write_timeout(&self) -> Duration {
        Duration::from_millis(self.write_timeout_ms)
    }

    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    pub(crate) fn max_timeout(&self) -> Duration {
        Duration::from_millis(self.max_timeout_ms)
    }

    pub(crate) fn max_stream_timeout(&self) -> Duration {
        Duration::from_millis(self.max_stream_timeout_ms)
    }
}

/// The limits of `config.default.toml`.
impl Default for Limits {
    fn default() -> Self {
        #[derive(Deserialize)]
        struct Defaults {
            limits: Limits,
        }
        let defaults: Result<Defaults, _> = config::load(DEFAULTS, None, "REFLEX_GATEWAY_DEFAULTS");
        defaults.expect("the defaults are part of the program").limits
    }
}

impl From<StopConfig> for StopOptions {
    fn from(config: StopConfig) -> Self {
        Self {
            drain_delay: Duration::from_millis(config.drain_delay_ms),
            grace: Duration::from_millis(config.grace_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_lack_only_the_key() {
        let error = Config::load(None).unwrap_err().to_string();
        assert!(error.contains("key_id") || error.contains("key_pem"), "{error}");
        assert_eq!(Limits::default().form_bytes, 64 * 1024);
    }

    #[test]
    fn a_file_completes_them() {
        let path = std::env::temp_dir().join(format!("reflex-gateway-{}.toml", std::process::id()));
        std::fs::write(
            &path,
            "[backends]\nleads = \"http://leads:1\"\n[token]\nkey_id = \"k\"\nkey_pem = \"p\"\n",
        )
        .unwrap();
        let config = Config::load(Some(&path));
        std::fs::remove_file(&path).unwrap();
        let config = config.unwrap();
        assert_eq!(config.backends["leads"], "http://leads:1");
        assert_eq!(config.backends["notifications"], "http://127.0.0.1:50052");
        assert!(!format!("{config:?}").contains("\"p\""));
    }
}
