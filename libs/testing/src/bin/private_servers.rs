//! Starts private servers on the given data directory, prints their addresses, and ends them when its input ends.
//!
//! The tests of `reflex_runtime::servers` kill it. By hand: `private-servers /tmp/data` gives a PostgreSQL and a Redis
//! to try things out, until Ctrl-D.

use std::io::{self, Write as _};

use anyhow::{Context as _, Result};
use reflex_runtime::servers::{PrivateServers, ServersOptions};

#[tokio::main]
async fn main() -> Result<()> {
    let data_dir = std::env::args_os()
        .nth(1)
        .context("usage: private-servers DATA_DIR")?
        .into();
    let options = ServersOptions {
        data_dir,
        durable: true,
        postgres_port: None,
        redis_port: None,
    };
    let servers = PrivateServers::start(options).await?;
    let mut output = io::stdout();
    writeln!(output, "{}\n{}", servers.postgres_url("postgres"), servers.redis_url())?;
    output.flush()?;
    tokio::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink())).await??;
    servers.stop().await;
    Ok(())
}
