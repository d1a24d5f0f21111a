//! The private PostgreSQL: makes its files once, starts it, waits until it is ready.

use std::{fs, path::Path, process::Stdio, time::Duration};

use rustix::process::Signal;
use tokio::time::{sleep, timeout};

use super::{
    Context as _, START_ATTEMPTS, START_LIMIT, ServersError, Started, choose_port,
    home::Home,
    process::{self, Kind, Process},
    programs,
};

/// Name of the role that owns everything.
pub(super) const SUPERUSER: &str = "reflex";

/// Ended at once by SIGQUIT: what is committed is in the log of changes and is recovered at the next start.
static KIND: Kind = Kind {
    name: "PostgreSQL",
    programs: &["postgres"],
    end: Signal::QUIT,
};

/// Settings of every private server.
const SETTINGS: [&str; 7] = [
    "listen_addresses=127.0.0.1",
    // The path of a socket may have 107 bytes only, and TCP is what everybody uses here.
    "unix_socket_directories=",
    "max_connections=300",
    "timezone=UTC",
    // Compiling a plan takes longer than running any query of ours.
    "jit=off",
    "log_checkpoints=off",
    // Recovery flushes one file system in place of opening every file: 0.5 to 2.4 s where it took 14 to 21 s.
    "recovery_init_sync_method=syncfs",
];

/// Settings of a server whose data nobody misses.
const CARELESS: [&str; 5] = [
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "wal_level=minimal",
    "max_wal_senders=0",
];

pub(super) async fn start(home: &Home, port: Option<u16>) -> Result<Started, ServersError> {
    let data_dir = home.data_dir.join("postgres");
    let bin_dir = programs::find_postgres(&data_dir)?;
    let program = bin_dir.join("postgres");
    let log = home.new_log("postgres")?;
    process::end_left_over(&KIND, &data_dir).await?;
    if !data_dir.join("PG_VERSION").exists() {
        initdb(home, &bin_dir, &data_dir).await?;
    }

    for attempt in 1..=START_ATTEMPTS {
        let port = choose_port(port)?;
        let mut command = programs::command(&program, home, "QUIT")?;
        command.arg("-D").arg(&data_dir).args(["-c", &format!("port={port}")]);
        let careless: &[&str] = if home.durable { &[] } else { &CARELESS };
        command.args(SETTINGS.iter().chain(careless).flat_map(|setting| ["-c", setting]));
        let process = Process::spawn(&KIND, command, "", &log)?;
        if is_ready(&process, &data_dir).await {
            return Ok(Started { process, port });
        }
        if !process.has_exited() {
            break;
        }
        sleep(Duration::from_millis(200) * attempt).await;
    }
    Err(ServersError::NotStarted {
        server: KIND.name,
        log: process::end_of_log(&log),
    })
}

pub(super) async fn end_left_over(home: &Path) -> Result<(), ServersError> {
    process::end_left_over(&KIND, &home.join("postgres")).await
}

/// Ends the server in order; one that cannot finish in time is ended at once, which costs a recovery and no data.
pub(super) async fn stop(process: &Process) {
    if process.end(Signal::INT, Duration::from_secs(15)).await {
        return;
    }
    if !process.end(KIND.end, Duration::from_secs(10)).await {
        process.end(Signal::KILL, Duration::from_secs(5)).await;
    }
}

/// Makes the files of a new server, beside their place first: a start that is killed half-way begins anew.
async fn initdb(home: &Home, bin_dir: &Path, data_dir: &Path) -> Result<(), ServersError> {
    let doing = || format!("make {}", data_dir.display());
    let aside = home.data_dir.join("postgres.new");
    if aside.exists() {
        fs::remove_dir_all(&aside).context(doing)?;
    }
    let aside = home.make_dir("postgres.new")?;

    let mut command = programs::command(&bin_dir.join("initdb"), home, "KILL")?;
    command
        .arg("-D")
        .arg(&aside)
        .args(["-U", SUPERUSER, "--encoding=UTF8", "--no-instructions"]);
    // Text sorts by its bytes, and letters are letters in every script.
    command.args(["--locale=C.UTF-8", "--lc-collate=C"]);
    if home.password.is_some() {
        command
            .arg("--auth=scram-sha-256")
            .arg("--pwfile")
            .arg(home.password_file());
    } else {
        command.arg("--auth=trust");
    }
    if !home.durable {
        command.arg("--no-sync");
    }
    let output = tokio::task::spawn_blocking(move || command.stdin(Stdio::null()).output());
    let output = output.await.expect("running a program does not panic").context(doing)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(ServersError::Initdb(said));
    }
    fs::rename(&aside, data_dir).context(doing)
}

/// Waits until the server lets clients in; false when it ended or took too long.
async fn is_ready(process: &Process, data_dir: &Path) -> bool {
    let status_file = data_dir.join("postmaster.pid");
    let until_ready = async {
        while !says_ready(&status_file, process.id()) {
            sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        _ = process.exited() => false,
        ready = timeout(START_LIMIT, until_ready) => ready.is_ok(),
    }
}

/// Reads what the server says about itself: its process id in the first line, its state in the eighth.
fn says_ready(status_file: &Path, pid: u32) -> bool {
    let text = fs::read_to_string(status_file).unwrap_or_default();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.first() == Some(&pid.to_string().as_str()) && lines.get(7) == Some(&"ready")
}
