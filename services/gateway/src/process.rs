//! The gateway as a process of its own.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use reflex_rpc::{auth::Minter, client};
use reflex_runtime::{clock::SystemClock, ids::SystemIds, lifecycle, tasks::Tasks, telemetry};
use secrecy::ExposeSecret as _;
use tokio::net::TcpListener;

use crate::{Config, Parts, serve};

/// The web's way into Reflex.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves until SIGTERM.
    Serve {
        /// Settings that override the defaults.
        #[arg(long)]
        config: Option<PathBuf>,
    },
}

/// Does what the command line says.
///
/// # Errors
///
/// Fails on settings that cannot be used, and when a task dies.
pub async fn main() -> anyhow::Result<()> {
    let Command::Serve { config } = Arguments::parse().command;
    let config = Config::load(config.as_deref())?;
    let telemetry = telemetry::start("reflex-gateway", &config.telemetry)?;
    let outcome = run(config).await;
    telemetry.shutdown().await;
    outcome
}

async fn run(config: Config) -> anyhow::Result<()> {
    let tasks = Tasks::new();
    let clock = Arc::new(SystemClock::new());
    let token = &config.token;
    let minter = Minter::new(
        token.key_pem.expose_secret(),
        &token.key_id,
        &token.issuer,
        clock.clone(),
    )?;
    let mut backends = BTreeMap::new();
    for (name, url) in &config.backends {
        backends.insert(name.clone(), client::connect(url, &tasks)?);
    }
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {}", config.listen))?;
    let parts = Parts {
        limits: config.limits,
        backends,
        minter,
        clock,
        ids: Arc::new(SystemIds),
        tasks: tasks.clone(),
    };
    let gateway = serve(parts, listener)?;
    tracing::info!(address = %gateway.address, "serving");
    lifecycle::run_until_signal(&tasks, config.stop.into(), async || gateway.readiness.off()).await?;
    Ok(())
}
