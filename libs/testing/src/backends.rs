//! The PostgreSQL and Redis a run of tests uses, however this machine provides them.

mod containers;
mod processes;
mod shared;

use std::fs::File;

use anyhow::{Context as _, Result, bail};
use tokio::sync::OnceCell;
use url::Url;

/// The servers of this run of tests.
///
/// Chosen by `REFLEX_TEST_BACKEND`:
///
/// - `url`: the ones `REFLEX_TEST_DATABASE_URL` (a superuser's) and `REFLEX_TEST_REDIS_URL` name,
/// - `docker`: containers of `REFLEX_TEST_POSTGRES_IMAGE` (`postgres:17`) and `REFLEX_TEST_REDIS_IMAGE` (`redis:7`),
/// - `process`: the machine's own programs, as child processes,
/// - `auto`, the default: `url` when the URLs are set, else `docker` when an engine answers and has or gets both
///   images, else `process`.
///
/// Containers and processes are shared by all test processes of a user and end some seconds after the last one.
#[derive(Debug)]
pub struct Backends {
    postgres: Url,
    redis: Url,
    /// Says, as long as this process lives, that the servers are in use.
    _in_use: Option<File>,
}

impl Backends {
    /// Returns the servers, starting them when no test process has done so yet.
    ///
    /// # Panics
    /// When there are none to be had; the message says what to install or to set.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<Backends> = OnceCell::const_new();
        match SHARED.get_or_try_init(find).await {
            Ok(backends) => backends,
            Err(error) => panic!("no servers to test with: {error:#}"),
        }
    }

    /// Returns the superuser's address of one database.
    #[must_use]
    pub fn postgres_url(&self, database: &str) -> String {
        let mut url = self.postgres.clone();
        url.set_path(database);
        url.into()
    }

    /// Returns the address of one database for another role, whose password is its name wherever one is asked for.
    pub(crate) fn postgres_url_of(&self, role: &str, database: &str) -> String {
        let mut url = self.postgres.clone();
        url.set_path(database);
        url.set_username(role)
            .and_then(|()| url.set_password(Some(role)))
            .expect("the URL has a host");
        url.into()
    }

    /// Returns the address of Redis. Tests share it: see [`crate::TestRedis`].
    #[must_use]
    pub fn redis_url(&self) -> &str {
        self.redis.as_str()
    }
}

async fn find() -> Result<Backends> {
    let given = (setting("REFLEX_TEST_DATABASE_URL"), setting("REFLEX_TEST_REDIS_URL"));
    let choice = setting("REFLEX_TEST_BACKEND").unwrap_or_else(|| "auto".to_owned());
    match (choice.as_str(), given) {
        ("auto" | "url", (Some(postgres), Some(redis))) => Ok(Backends {
            postgres: postgres.parse().context("REFLEX_TEST_DATABASE_URL is no URL")?,
            redis: redis.parse().context("REFLEX_TEST_REDIS_URL is no URL")?,
            _in_use: None,
        }),
        ("auto", (None, None)) => shared::join(shared::Source::Any).await,
        ("docker", _) => shared::join(shared::Source::Containers).await,
        ("process", _) => shared::join(shared::Source::Processes).await,
        ("auto" | "url", _) => bail!("set both REFLEX_TEST_DATABASE_URL and REFLEX_TEST_REDIS_URL"),
        (other, _) => bail!("REFLEX_TEST_BACKEND is {other:?}, not one of auto, url, docker, process"),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests have no configuration file; these are all settings they read"
)]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
