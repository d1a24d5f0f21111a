//! What runs: all services in a process of their own, the providers in ours, and the ways to call them.

use std::{
    fs::{self, Permissions},
    io::Write,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, ensure};
use jiff::Timestamp;
use reflex_rpc::{
    auth::{Claims, Minter, Tenants},
    client::{self, Authorized},
    identity::Role,
};
use reflex_runtime::{
    clock::{Clock, SystemClock},
    ids::{IdSource, SystemIds},
    tasks::Tasks,
};
use reflex_standalone::{Secrets, secrets::ISSUER};
use reflex_tenancy::{TenantId, TenantSet};
use reflexctl::connection::{Address, Connection};
use tempfile::TempDir;
use tokio::{process::Command, time::Instant};
use tonic::{service::interceptor::InterceptedService, transport::Channel};

use super::{
    Options, bundles,
    standalone::{Standalone, StandaloneOptions, free_address},
};
use crate::{
    simulator::{Robot, Simulator, SimulatorOptions},
    suite::Wire,
};

/// How long tokens of people are good for.
const TOKEN_TTL: Duration = Duration::from_hours(1);

/// What to set up.
pub(super) struct StageOptions<'a> {
    /// Where programs and data are.
    pub(super) places: &'a Options,
    /// Where the services keep everything.
    pub(super) data_dir: PathBuf,
    /// Address of the gateway.
    pub(super) gateway: String,
    /// Address of leads.
    pub(super) leads: String,
    /// Address of notifications.
    pub(super) notifications: String,
    /// Address of the simulated providers.
    pub(super) simulator: SocketAddr,
    /// File of the services' log.
    pub(super) log: PathBuf,
    /// Removed at the end.
    pub(super) home: Option<TempDir>,
}

impl<'a> StageOptions<'a> {
    /// Makes options of a stage that leaves nothing behind but its log, on free ports.
    pub(super) fn fresh(places: &'a Options) -> anyhow::Result<Self> {
        let home = tempfile::Builder::new()
            .prefix("reflex-demo-")
            // The servers run as an unprivileged account, which has to pass through.
            .permissions(Permissions::from_mode(0o711))
            .tempdir()?;
        Ok(Self {
            places,
            data_dir: home.path().to_owned(),
            gateway: free_address()?,
            leads: "127.0.0.1:0".to_owned(),
            notifications: "127.0.0.1:0".to_owned(),
            simulator: SocketAddr::from(([127, 0, 0, 1], 0)),
            log: places.programs.join("demo-services.log"),
            home: Some(home),
        })
    }
}

/// Services and providers, running.
pub(super) struct Stage {
    standalone: Standalone,
    simulator: Simulator,
    tenants: Vec<TenantId>,
    connection: Connection,
    leads: Channel,
    notifications: Channel,
    minter: Minter,
    clock: SystemClock,
    ids: SystemIds,
    start: Instant,
    reflexctl: PathBuf,
    data_dir: PathBuf,
    home: Option<TempDir>,
}

impl Stage {
    /// Starts everything.
    pub(super) async fn set(options: StageOptions<'_>) -> anyhow::Result<Self> {
        let start = Instant::now();
        let programs = &options.places.programs;
        let tenants = bundles::tenants(&options.places.data)?;
        eprintln!(
            "starting PostgreSQL, Redis and the services; their log is {}",
            options.log.display()
        );
        fs::create_dir_all(&options.data_dir).with_context(|| format!("making {}", options.data_dir.display()))?;
        let simulator = Simulator::start(SimulatorOptions {
            listen: options.simulator,
            robots: robots(&options.places.data)?,
            ..SimulatorOptions::default()
        })
        .await
        .with_context(|| format!("the provider simulator cannot listen on {}", options.simulator))?;
        let standalone = Standalone::start(StandaloneOptions {
            program: &programs.join("reflex-standalone"),
            data_dir: &options.data_dir,
            gateway: &options.gateway,
            leads: &options.leads,
            notifications: &options.notifications,
            tenants: &tenants,
            log: options.log,
        })
        .await?;
        let secrets = Secrets::keep_in(&options.data_dir.join("keys"))?;
        let minter = Minter::new(&secrets.private_pem, &secrets.kid, ISSUER, Arc::new(SystemClock::new()))?;
        let tasks = Tasks::new();
        let channel = |url: &Option<String>| {
            let url = url.as_deref().context("client.toml names every service")?;
            Ok::<_, anyhow::Error>(client::connect(url, &tasks)?)
        };
        let stage = Self {
            leads: channel(&standalone.address.server)?,
            notifications: channel(&standalone.address.notifications)?,
            connection: Connection::new(&standalone.address)?,
            standalone,
            simulator,
            tenants,
            minter,
            clock: SystemClock::new(),
            ids: SystemIds,
            start,
            reflexctl: programs.join("reflexctl"),
            data_dir: options.data_dir,
            home: options.home,
        };
        stage.tell(&format!(
            "services ready: gateway {}, providers {}",
            stage.gateway_url(),
            stage.simulator.url()
        ));
        Ok(stage)
    }

    /// Waits until the services end although nobody asked them to.
    pub(super) async fn died(&self) -> anyhow::Error {
        self.standalone.died().await
    }

    /// Ends everything, and removes the data of a fresh stage.
    pub(super) async fn leave(self) {
        self.standalone.stop().await;
        if let Some(home) = self.home
            && let Err(error) = home.close()
        {
            eprintln!("the data of the demo cannot be removed: {error}");
        }
    }

    /// Tells how far we are.
    pub(super) fn tell(&self, what: &str) {
        eprintln!("[{:5.1} s] {what}", self.start.elapsed().as_secs_f64());
    }

    /// Returns the time.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Returns the subsidiaries.
    pub(super) fn tenants(&self) -> &[TenantId] {
        &self.tenants
    }

    /// Returns the base URL of the gateway.
    pub(super) fn gateway_url(&self) -> &str {
        &self.standalone.gateway_url
    }

    /// Returns the simulated providers.
    pub(super) fn simulator(&self) -> &Simulator {
        &self.simulator
    }

    /// Returns the program of the command line.
    pub(super) fn reflexctl(&self) -> &Path {
        &self.reflexctl
    }

    /// Returns where the services keep everything.
    pub(super) fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Returns where the services are.
    pub(super) fn connection_address(&self) -> &Address {
        &self.standalone.address
    }

    /// Returns the connection of whoever sets everything up.
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Returns a source of ids for requests.
    pub(super) fn ids(&self) -> &dyn IdSource {
        &self.ids
    }

    /// Returns an id for a write.
    pub(super) fn request_id(&self) -> String {
        self.ids.next().to_string()
    }

    /// Returns a way to call leads as the administrator of a tenant.
    pub(super) fn leads(&self, tenant: &TenantId) -> anyhow::Result<Wire> {
        self.wire(&self.leads, tenant, Role::Admin, None)
    }

    /// Returns a way to call notifications as the administrator of a tenant.
    pub(super) fn notifications(&self, tenant: &TenantId) -> anyhow::Result<Wire> {
        self.wire(&self.notifications, tenant, Role::Admin, None)
    }

    /// Returns a way for a salesperson to call leads.
    pub(super) fn leads_as(&self, tenant: &TenantId, member: &str) -> anyhow::Result<Wire> {
        self.wire(&self.leads, tenant, Role::Sales, Some(member))
    }

    /// Prints what `reflexctl` answers about a subsidiary, under a title.
    pub(super) async fn show(&self, title: &str, tenant: &TenantId, arguments: &[&str]) -> anyhow::Result<()> {
        let command = format!("reflexctl {} --tenant {tenant}", arguments.join(" "));
        writeln!(std::io::stdout(), "\n{title} ({command})")?;
        let output = Command::new(&self.reflexctl)
            .args(arguments)
            .args(["--tenant", tenant.as_str(), "--data-dir"])
            .arg(&self.data_dir)
            .output()
            .await
            .with_context(|| format!("running {}", self.reflexctl.display()))?;
        ensure!(
            output.status.success(),
            "{command} failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        std::io::stdout().write_all(&output.stdout)?;
        Ok(())
    }

    fn wire(&self, channel: &Channel, tenant: &TenantId, role: Role, member: Option<&str>) -> anyhow::Result<Wire> {
        let claims = Claims {
            subject: member.unwrap_or("demo").to_owned(),
            tenants: Tenants::Of(TenantSet::one(tenant)),
            roles: vec![role],
            member: member.map(str::to_owned),
        };
        let authorized = Authorized::with_token(&self.minter.mint(&claims, TOKEN_TTL))?.for_tenant(tenant);
        Ok(InterceptedService::new(channel.clone(), authorized))
    }
}

fn robots(data: &Path) -> anyhow::Result<Vec<Robot>> {
    let path = data.join("robots.json");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not a list of robots", path.display()))
}
