//! Connections to Redis: for short commands, and for blocking reads.

use std::time::Duration;

use redis::{AsyncConnectionConfig, Client, RedisResult, aio::MultiplexedConnection};

/// Where Redis is, and the prefix of all our keys there.
#[derive(Debug, Clone)]
pub struct Redis {
    client: Client,
    prefix: String,
}

impl Redis {
    /// Makes connections to `url`; every key starts with `prefix`.
    ///
    /// # Errors
    /// When the URL cannot be parsed.
    pub fn new(url: &str, prefix: &str) -> RedisResult<Self> {
        Ok(Self {
            client: Client::open(url)?,
            prefix: prefix.to_owned(),
        })
    }

    /// Returns the key of a stream's shard. The hash tag keeps what belongs to a shard on one node of a cluster.
    #[must_use]
    pub fn stream_key(&self, stream: &str, shard: i16) -> String {
        format!("{}{{{stream}:{shard}}}", self.prefix)
    }

    /// Returns the key of the mark that the relay of a stream leaves with each batch.
    #[must_use]
    pub fn mark_key(&self, stream: &str) -> String {
        format!("{}{{{stream}}}:mark", self.prefix)
    }

    /// Connects for short commands. A connection that breaks stays broken, so that nobody goes on with another one where
    /// it matters what came before.
    pub(crate) async fn prompt(&self) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(Duration::from_secs(2)))
            .set_response_timeout(Some(Duration::from_secs(5)));
        self.client.get_multiplexed_async_connection_with_config(&config).await
    }

    /// Connects for blocking reads: without a response timeout, as silence is what they wait through.
    pub(crate) async fn blocking(&self) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(Duration::from_secs(2)))
            .set_response_timeout(None);
        self.client.get_multiplexed_async_connection_with_config(&config).await
    }

    /// Checks that Redis never evicts: an evicted stream would be a lost fact.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn eviction_policy(&self) -> RedisResult<String> {
        let mut connection = self.prompt().await?;
        let policy: Vec<String> = redis::cmd("CONFIG")
            .arg("GET")
            .arg("maxmemory-policy")
            .query_async(&mut connection)
            .await?;
        Ok(policy.into_iter().nth(1).unwrap_or_default())
    }
}
