//! The program of a service: `serve` and `migrate`.

use std::{path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context;
use clap::{Parser, Subcommand};
use reflex_pg::{Database, clock::ClockFollower, migrate};
use reflex_rpc::{auth::Verifier, readiness::Readiness};
use reflex_runtime::{
    clock::SystemClock,
    config,
    ids::SystemIds,
    lifecycle::{StopOptions, run_until_signal},
    tasks::Tasks,
    telemetry::{self, TelemetryConfig},
};
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use tokio::net::TcpListener;
use tracing::{info, warn};

use crate::{
    config::{AuthConfig, FoundationConfig, ServerConfig},
    foundation::{Environment, Schema},
};

/// A service as its `main` describes it.
pub trait Program: Send + Sync + 'static {
    /// Its settings.
    type Config: DeserializeOwned + Send + Sync;
    /// Name of the binary, for example `reflex-leads`.
    const NAME: &'static str;
    /// Prefix of its environment variables, for example `REFLEX_LEADS`.
    const ENV_PREFIX: &'static str;
    /// Its default settings, as TOML.
    const DEFAULTS: &'static str;

    /// Returns its schema.
    fn schema() -> Schema;
    /// Returns the settings every service has.
    fn common(config: &Self::Config) -> (FoundationConfig, ServerConfig, AuthConfig, TelemetryConfig);
    /// Starts it.
    fn serve(
        config: Self::Config,
        environment: Environment,
        listener: TcpListener,
    ) -> impl Future<Output = anyhow::Result<Readiness>> + Send;
}

#[derive(Parser)]
#[command(version, about = "A service of Reflex.")]
struct Arguments {
    /// Settings file (TOML); environment variables come over it.
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Copy, Subcommand)]
enum Command {
    /// Serves until SIGTERM.
    Serve,
    /// Brings the database's schema up to date, then ends.
    Migrate,
}

/// Runs a service's program.
pub fn run<P: Program>() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome = runtime
        .context("starting the runtime")
        .and_then(|runtime| runtime.block_on(execute::<P>(arguments)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "the service ended");
            // Also without telemetry, for example when the settings are wrong.
            let _written = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("{}: {error:#}\n", P::NAME));
            ExitCode::FAILURE
        }
    }
}

async fn execute<P: Program>(arguments: Arguments) -> anyhow::Result<()> {
    let config: P::Config = config::load(P::DEFAULTS, arguments.config.as_deref(), P::ENV_PREFIX)?;
    let (foundation, server, auth, telemetry) = P::common(&config);
    let telemetry = telemetry::start(P::NAME, &telemetry)?;
    let outcome = match arguments.command {
        Command::Migrate => {
            migrate::migrate(foundation.database.owner_url.expose_secret(), P::schema().parts).await?;
            info!("the schema is up to date");
            Ok(())
        }
        Command::Serve => serve::<P>(config, &foundation, server, &auth).await,
    };
    telemetry.shutdown().await;
    outcome
}

async fn serve<P: Program>(
    config: P::Config,
    foundation: &FoundationConfig,
    server: ServerConfig,
    auth: &AuthConfig,
) -> anyhow::Result<()> {
    let clock = Arc::new(SystemClock::new());
    let tasks = Tasks::new();
    let follower = ClockFollower::new(Database::connect(&foundation.database)?.worker, Arc::clone(&clock));
    if let Err(error) = follower.measure().await {
        warn!(%error, "the database's time is not known yet");
    }
    tasks.spawn("follow-clock", follower.run(tasks.stop()));
    let verifier = Verifier::from_jwks_file(&auth.jwks_file, &auth.issuer, Arc::clone(&clock) as _)?;
    let environment = Environment {
        clock,
        ids: Arc::new(SystemIds),
        tasks: tasks.clone(),
        verifier: Arc::new(verifier),
    };
    let listener = TcpListener::bind(&server.listen)
        .await
        .with_context(|| format!("listening on {}", server.listen))?;
    let readiness = P::serve(config, environment, listener).await?;
    let options = StopOptions {
        drain_delay: Duration::from_secs(server.drain_seconds),
        grace: Duration::from_secs(server.grace_seconds),
    };
    run_until_signal(&tasks, options, async || readiness.off().await).await?;
    Ok(())
}
