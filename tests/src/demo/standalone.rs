//! The program that runs all services, as a child process.

use std::{
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, SystemTime},
};

use anyhow::{Context, bail};
use reflex_tenancy::TenantId;
use reflexctl::connection::Address;
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    process::{Child, Command},
    sync::Mutex,
    time::{Instant, sleep, timeout},
};

/// How long the first start may take; it makes the files of a PostgreSQL.
const START_LIMIT: Duration = Duration::from_mins(2);
/// How long it may take to end in order.
const STOP_LIMIT: Duration = Duration::from_secs(30);
/// How much of its log is shown when it fails.
const SHOWN_LINES: usize = 15;

/// How to start it.
pub(super) struct StandaloneOptions<'a> {
    /// The program.
    pub(super) program: &'a Path,
    /// Where it keeps everything.
    pub(super) data_dir: &'a Path,
    /// Address of the gateway.
    pub(super) gateway: &'a str,
    /// Address of leads; port 0 takes a free one.
    pub(super) leads: &'a str,
    /// Address of notifications; port 0 takes a free one.
    pub(super) notifications: &'a str,
    /// Whom the token it leaves is good for.
    pub(super) tenants: &'a [TenantId],
    /// File of its log.
    pub(super) log: PathBuf,
}

/// The running program; killed when this is dropped.
pub(super) struct Standalone {
    child: Mutex<Child>,
    pid: Pid,
    /// Where the services are, and a token for all tenants.
    pub(super) address: Address,
    /// Base URL of the gateway.
    pub(super) gateway_url: String,
    /// File of its log.
    pub(super) log: PathBuf,
}

impl Standalone {
    /// Starts it and returns when all services answer.
    pub(super) async fn start(options: StandaloneOptions<'_>) -> anyhow::Result<Self> {
        let before = SystemTime::now();
        let log = File::create(&options.log).with_context(|| format!("cannot write {}", options.log.display()))?;
        let tenants: Vec<&str> = options.tenants.iter().map(TenantId::as_str).collect();
        // In a process group of its own, so that Ctrl-C reaches us only and we end it in order; it ends with us even when
        // we are killed.
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "TERM"])
            .arg(options.program)
            .arg("--data-dir")
            .arg(options.data_dir)
            .args(["--gateway", options.gateway, "--leads", options.leads])
            .args([
                "--notifications",
                options.notifications,
                "--tenants",
                &tenants.join(","),
            ])
            .args(["--allow-plain-http"])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| {
                format!(
                    "cannot run {} (setpriv is part of util-linux)",
                    options.program.display()
                )
            })?;
        let pid = child
            .id()
            .and_then(|id| Pid::from_raw(id.cast_signed()))
            .context("it ended at once")?;
        let limit = Instant::now() + START_LIMIT;
        let address = loop {
            if let Some(address) = left_since(options.data_dir, before) {
                break address;
            }
            if let Some(status) = child.try_wait()? {
                bail!("the services did not start ({status}):\n{}", end_of(&options.log));
            }
            if Instant::now() > limit {
                bail!(
                    "the services took longer than {START_LIMIT:?} to start:\n{}",
                    end_of(&options.log)
                );
            }
            sleep(Duration::from_millis(50)).await;
        };
        Ok(Self {
            child: Mutex::new(child),
            pid,
            address,
            gateway_url: format!("http://{}", options.gateway),
            log: options.log,
        })
    }

    /// Waits until it ends although nobody asked it to.
    pub(super) async fn died(&self) -> anyhow::Error {
        match self.child.lock().await.wait().await {
            Ok(status) => anyhow::anyhow!("the services ended ({status}):\n{}", end_of(&self.log)),
            Err(error) => error.into(),
        }
    }

    /// Ends it in order.
    pub(super) async fn stop(self) {
        // The child is not reaped yet, so the id is still its own.
        let asked = kill_process(self.pid, Signal::TERM);
        let mut child = self.child.into_inner();
        if asked.is_err() || timeout(STOP_LIMIT, child.wait()).await.is_err() {
            eprintln!("the services do not end by themselves and are killed");
            if let Err(error) = child.kill().await {
                eprintln!("they cannot be killed: {error}");
            }
        }
    }
}

/// Reads what the program leaves for its clients once it serves; what an earlier one left does not count.
fn left_since(data_dir: &Path, time: SystemTime) -> Option<Address> {
    let written = fs::metadata(data_dir.join("client.toml")).ok()?.modified().ok()?;
    // File times are coarser than the clock.
    if written + Duration::from_millis(50) < time {
        return None;
    }
    // While it is being written it cannot be read, or has no tenant, which stands last.
    Address::of_data_dir(data_dir)
        .ok()
        .filter(|address| address.tenant.is_some())
}

fn end_of(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
}

/// Returns a loopback address with a port that is free now.
pub(super) fn free_address() -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    Ok(listener.local_addr()?.to_string())
}
