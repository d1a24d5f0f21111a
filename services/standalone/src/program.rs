//! Runs everything on private servers until it is stopped.

use std::{
    fs::OpenOptions,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use clap::Parser;
use reflex_host::Environment;
use reflex_pg::{Database, clock::ClockFollower};
use reflex_rpc::{
    auth::{Claims, Minter, Tenants, Verifier},
    identity::Role,
};
use reflex_runtime::{
    clock::SystemClock,
    ids::SystemIds,
    lifecycle::{StopOptions, run_until_signal},
    servers::{PrivateServers, ServersOptions},
    tasks::Tasks,
    telemetry::{self, TelemetryConfig},
};
use reflex_standalone::{Addresses, Listeners, Options, Places, Secrets, Services, secrets::ISSUER};
use reflex_tenancy::TenantId;
use secrecy::ExposeSecret;
use serde::Serialize;
use tracing::info;

/// How long the token in `client.toml` is good for.
const TOKEN_TTL: Duration = Duration::from_hours(30 * 24);

/// Runs all services of Reflex in one process, with a private PostgreSQL and Redis.
#[derive(Parser)]
#[command(
    version,
    after_help = "Example: reflex-standalone --data-dir /var/lib/reflex --tenants huakang-east"
)]
struct Arguments {
    /// Where data, keys and `client.toml` are kept; as root /var/lib/reflex unless given, else ~/.local/share/reflex.
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Address of the HTTP gateway.
    #[arg(long, default_value = "127.0.0.1:8080")]
    gateway: String,
    /// Address of leads (gRPC).
    #[arg(long, default_value = "127.0.0.1:50051")]
    leads: String,
    /// Address of notifications (gRPC).
    #[arg(long, default_value = "127.0.0.1:50052")]
    notifications: String,
    /// Tenants that the token in `client.toml` is good for.
    #[arg(long, value_delimiter = ',')]
    tenants: Vec<TenantId>,
    /// Lets channels have http:// addresses, as a provider simulator has.
    #[arg(long)]
    allow_plain_http: bool,
    /// gRPC address of an OpenTelemetry collector.
    #[arg(long)]
    otlp_endpoint: Option<String>,
    /// Log filter.
    #[arg(long, default_value = "info")]
    log: String,
}

/// Runs the program.
pub(crate) fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime
        .context("starting the runtime")
        .and_then(|runtime| runtime.block_on(serve(arguments)))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _written = writeln!(std::io::stderr(), "reflex-standalone: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(arguments: Arguments) -> anyhow::Result<()> {
    let telemetry = telemetry::start(
        "reflex-standalone",
        &TelemetryConfig {
            otlp_endpoint: arguments.otlp_endpoint.clone(),
            log: arguments.log.clone(),
            ..TelemetryConfig::default()
        },
    )?;
    let data_dir = arguments.data_dir.clone().map_or_else(default_data_dir, Ok)?;
    let secrets = Secrets::keep_in(&data_dir.join("keys"))?;
    let listeners = Listeners::bind(&arguments.gateway, &arguments.leads, &arguments.notifications).await?;
    let servers = PrivateServers::start(ServersOptions {
        data_dir: data_dir.join("servers"),
        durable: true,
        postgres_port: None,
        redis_port: None,
    })
    .await?;
    let places = Places::make(&servers, &secrets).await?;
    write_private(&data_dir.join("servers.toml"), &ServersFile::of(&places))?;

    let clock = Arc::new(SystemClock::new());
    let tasks = Tasks::new();
    let follower = ClockFollower::new(Database::connect(&places.leads)?.worker, Arc::clone(&clock));
    follower.measure().await?;
    tasks.spawn("follow-clock", follower.run(tasks.stop()));
    let verifier = Arc::new(Verifier::from_jwks(
        &secrets.jwks_json,
        ISSUER,
        Arc::clone(&clock) as _,
    )?);
    let environment = Environment {
        clock: Arc::clone(&clock) as _,
        ids: Arc::new(SystemIds),
        tasks: tasks.clone(),
        verifier,
    };
    let options = Options {
        allow_plain_http: arguments.allow_plain_http,
        ..Options::default()
    };
    let services = Services::start(&places, &secrets, &environment, listeners, &options).await?;

    let minter = Minter::new(&secrets.private_pem, &secrets.kid, ISSUER, clock as _)?;
    write_client_file(&data_dir, services.addresses, &minter, &arguments.tenants)?;
    info!(
        gateway = %services.addresses.gateway,
        leads = %services.addresses.leads,
        notifications = %services.addresses.notifications,
        data = %data_dir.display(),
        "reflex is ready"
    );
    let stop = StopOptions {
        drain_delay: Duration::ZERO,
        grace: Duration::from_secs(15),
    };
    tokio::select! {
        outcome = run_until_signal(&tasks, stop, async || services.off().await) => outcome?,
        died = servers.died() => return Err(died.into()),
    }
    servers.stop().await;
    telemetry.shutdown().await;
    Ok(())
}

/// What `reflexctl` needs to find us.
#[derive(Serialize)]
struct ClientFile {
    server: String,
    notifications: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
}

fn write_client_file(
    data_dir: &Path,
    addresses: Addresses,
    minter: &Minter,
    tenants: &[TenantId],
) -> anyhow::Result<()> {
    let token = (!tenants.is_empty()).then(|| {
        let claims = Claims {
            subject: "standalone".into(),
            tenants: Tenants::Of(tenants.iter().cloned().collect()),
            roles: vec![Role::Admin],
            member: None,
        };
        minter.mint(&claims, TOKEN_TTL)
    });
    let file = ClientFile {
        server: format!("http://{}", addresses.leads),
        notifications: format!("http://{}", addresses.notifications),
        token,
        tenant: tenants.first().map(ToString::to_string),
    };
    write_private(&data_dir.join("client.toml"), &file)
}

/// Where the data is, for whoever wants to look inside with `psql` or `redis-cli`; another one after each start.
#[derive(Serialize)]
struct ServersFile {
    leads: String,
    notifications: String,
    redis: String,
}

impl ServersFile {
    fn of(places: &Places) -> Self {
        Self {
            leads: places.leads.owner_url.expose_secret().to_owned(),
            notifications: places.notifications.owner_url.expose_secret().to_owned(),
            redis: places.redis.url.expose_secret().to_owned(),
        }
    }
}

/// Writes a file that only its owner may read.
fn write_private(path: &Path, content: &impl Serialize) -> anyhow::Result<()> {
    let text = toml::to_string(content).with_context(|| format!("writing {}", path.display()))?;
    let mut written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("creating {}", path.display()))?;
    written
        .write_all(text.as_bytes())
        .with_context(|| format!("writing {}", path.display()))
}

/// The servers run as an unprivileged account, which cannot enter root's home.
fn default_data_dir() -> anyhow::Result<PathBuf> {
    let home = std::env::home_dir().context("HOME is not set: give --data-dir")?;
    if home == Path::new("/root") {
        return Ok(PathBuf::from("/var/lib/reflex"));
    }
    Ok(home.join(".local/share/reflex"))
}
