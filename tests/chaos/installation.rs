//! The standalone process on a data directory that outlives it.

use std::{
    fs::{self, File, Permissions},
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use axum::body::Body;
use http::StatusCode;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use reflex_rpc::{
    auth::{Claims, Minter, Tenants},
    client::{self, Authorized},
    identity::Role,
};
use reflex_runtime::{clock::SystemClock, tasks::Tasks};
use reflex_standalone::{Secrets, secrets::ISSUER};
use reflex_tenancy::TenantId;
use reflex_tests::suite::Wire;
use serde::Deserialize;
use tempfile::TempDir;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tonic::service::interceptor::InterceptedService;

/// How long a start may take on a machine that does other things as well.
const START_LIMIT: Duration = Duration::from_mins(1);

/// An installation of Reflex; its process dies with this value.
pub(crate) struct Installation {
    home: TempDir,
    ports: Ports,
    secrets: Secrets,
    tasks: Tasks,
    process: Child,
}

/// They stay the same over restarts, as those of a real installation do.
#[derive(Clone, Copy)]
struct Ports {
    gateway: u16,
    leads: u16,
    notifications: u16,
}

/// Where the data is, as the process wrote it down at its last start.
#[derive(Deserialize)]
pub(crate) struct Servers {
    pub(crate) leads: String,
    pub(crate) notifications: String,
    pub(crate) redis: String,
}

impl Installation {
    /// Makes an installation with nothing in it, and starts it.
    pub(crate) fn start() -> Self {
        // The servers run as another account, which has to pass through.
        let open = Permissions::from_mode(0o711);
        let home = tempfile::Builder::new()
            .prefix("reflex-chaos-")
            .permissions(open)
            .tempdir()
            .unwrap();
        let ports = Ports::choose();
        let secrets = Secrets::keep_in(&home.path().join("keys")).unwrap();
        let process = spawn(home.path(), ports);
        Self {
            home,
            ports,
            secrets,
            tasks: Tasks::new(),
            process,
        }
    }

    /// Kills the process as the kernel does when memory runs out: it learns nothing of it.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts the process again.
    pub(crate) fn start_again(&mut self) {
        self.process = spawn(self.home.path(), self.ports);
    }

    /// Waits until every service is ready, and returns how long that took.
    pub(crate) async fn ready(&mut self) -> Duration {
        let started = Instant::now();
        let http = http_client();
        let uri: http::Uri = format!("{}/readyz", self.gateway_url()).parse().unwrap();
        let mut looks = interval(Duration::from_millis(20));
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while started.elapsed() < START_LIMIT {
            looks.tick().await;
            let ended = self.process.try_wait().unwrap();
            assert!(
                ended.is_none(),
                "the process ended by itself: {ended:?}\n{}",
                self.log()
            );
            let answer = timeout(Duration::from_secs(2), http.get(uri.clone())).await;
            if matches!(answer, Ok(Ok(answer)) if answer.status() == StatusCode::OK) {
                return started.elapsed();
            }
        }
        panic!("not ready after {START_LIMIT:?}\n{}", self.log());
    }

    /// Returns the base URL of the gateway.
    pub(crate) fn gateway_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.gateway)
    }

    /// Returns a way to call leads, over a connection of its own.
    pub(crate) fn leads(&self, tenant: &TenantId, role: Role) -> Wire {
        self.wire(self.ports.leads, tenant, role)
    }

    /// Returns a way to call notifications, over a connection of its own.
    pub(crate) fn notifications(&self, tenant: &TenantId, role: Role) -> Wire {
        self.wire(self.ports.notifications, tenant, role)
    }

    fn wire(&self, port: u16, tenant: &TenantId, role: Role) -> Wire {
        let minter = Minter::new(
            &self.secrets.private_pem,
            &self.secrets.kid,
            ISSUER,
            std::sync::Arc::new(SystemClock::new()),
        )
        .unwrap();
        let claims = Claims {
            subject: "chaos".into(),
            tenants: Tenants::Of([tenant.clone()].into_iter().collect()),
            roles: vec![role],
            member: None,
        };
        let token = minter.mint(&claims, Duration::from_hours(1));
        let channel = client::connect(&format!("http://127.0.0.1:{port}"), &self.tasks).unwrap();
        InterceptedService::new(channel, Authorized::with_token(&token).unwrap().for_tenant(tenant))
    }

    /// Returns where the data is now.
    pub(crate) fn servers(&self) -> Servers {
        toml::from_str(&fs::read_to_string(self.home.path().join("servers.toml")).unwrap()).unwrap()
    }

    /// Returns the end of what the process has logged.
    pub(crate) fn log(&self) -> String {
        let text = fs::read_to_string(log_of(self.home.path())).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        // It may have ended already, which is what is wanted.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Ports {
    /// Below the range that the system gives to connections, so that nobody takes one while the process is down.
    fn choose() -> Self {
        let mut free = (0..1_000)
            .map(|_| rand::random_range(12_000..32_000))
            .filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
        let mut next = || free.next().expect("most ports are free");
        Self {
            gateway: next(),
            leads: next(),
            notifications: next(),
        }
    }
}

/// A client of the gateway.
pub(crate) fn http_client() -> Client<HttpConnector, Body> {
    Client::builder(TokioExecutor::new()).build_http()
}

fn spawn(home: &Path, ports: Ports) -> Child {
    let log = File::options().create(true).append(true).open(log_of(home)).unwrap();
    let address = |port: u16| format!("127.0.0.1:{port}");
    Command::new(program())
        .arg("--data-dir")
        .arg(home)
        .args(["--gateway", &address(ports.gateway), "--leads", &address(ports.leads)])
        .args(["--notifications", &address(ports.notifications), "--log", "warn"])
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

fn log_of(home: &Path) -> PathBuf {
    home.join("log")
}

/// The program lies beside the folder of the tests; its own tests make sure that it is built with them.
fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test.parent().and_then(Path::parent).unwrap().join("reflex-standalone");
    assert!(
        program.exists(),
        "{} is missing: build the whole workspace",
        program.display()
    );
    program
}
