//! The machine's own PostgreSQL and Redis as processes.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use reflex_runtime::servers::{DetachedServers, ServersOptions};

use super::shared::Started;

/// Starts both with empty data.
pub(super) async fn start(data_dir: &Path) -> Result<Started> {
    // Left by a keeper that was killed. Servers first: they would go on writing into files that are gone.
    DetachedServers::end_left_over(data_dir).await?;
    if data_dir.exists() {
        fs::remove_dir_all(data_dir).with_context(|| format!("remove {}", data_dir.display()))?;
    }
    let servers = DetachedServers::start(ServersOptions {
        data_dir: data_dir.to_owned(),
        durable: false,
        postgres_port: None,
        redis_port: None,
    })
    .await?;
    let (postgres, redis) = (servers.postgres_pid, servers.redis_pid);
    Ok(Started {
        postgres: servers.postgres_url.parse()?,
        redis: servers.redis_url.parse()?,
        alive: format!("kill -0 {postgres} && kill -0 {redis}"),
        // Waits a little, so that their files are not removed under them.
        end: format!(
            "kill -QUIT {postgres}; kill -TERM {redis}; \
             for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do \
             kill -0 {postgres} || kill -0 {redis} || break; sleep 0.1; done"
        ),
    })
}
