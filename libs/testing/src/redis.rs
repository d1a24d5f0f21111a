//! A part of the shared Redis for each test.

use redis::{Commands as _, RedisResult};
use reflex_runtime::ids::{IdSource as _, SystemIds};

use crate::Backends;

/// A key prefix nobody else uses; its keys are removed with this value.
#[derive(Debug)]
pub struct TestRedis {
    backends: &'static Backends,
    prefix: String,
}

impl TestRedis {
    /// Reserves a prefix.
    ///
    /// # Panics
    /// When there is no server.
    pub async fn create() -> Self {
        Self {
            backends: Backends::shared().await,
            prefix: format!("test-{}:", SystemIds.next().simple()),
        }
    }

    /// Returns the address of the server.
    #[must_use]
    pub fn url(&self) -> &'static str {
        self.backends.redis_url()
    }

    /// Returns what every key of the test begins with.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    fn remove_keys(&self) -> RedisResult<()> {
        let mut connection = redis::Client::open(self.url())?.get_connection()?;
        let keys: Vec<String> = connection
            .scan_match(format!("{}*", self.prefix))?
            .collect::<RedisResult<_>>()?;
        if keys.is_empty() {
            Ok(())
        } else {
            connection.unlink(keys)
        }
    }
}

impl Drop for TestRedis {
    fn drop(&mut self) {
        // Keys that stay disturb nobody and go with the server.
        let _ = self.remove_keys();
    }
}
