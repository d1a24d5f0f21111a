//! One pair of servers for all test processes: nextest gives each test a process of its own, and starting PostgreSQL
//! for each would take longer than most tests.
//!
//! In a directory of the user's under the temporary one are three locks:
//!
//! - `start.lock` is held by whoever starts, joins or ends the servers,
//! - `users.lock` is shared by all test processes that use them, as long as they live,
//! - `keeper.lock` is held by the keeper, a shell script that outlives the process that started the servers and ends
//!   them when nobody has held `users.lock` for some seconds.
//!
//! Locks vanish with their holder, so there is nothing to clean up after a killed process.

use std::{
    fs::{self, File, TryLockError},
    net::TcpStream,
    os::unix::{
        fs::{DirBuilderExt as _, MetadataExt as _},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use url::Url;

use super::{Backends, containers, processes};

const KEEPER: &str = include_str!("keeper.sh");

/// Where the servers may come from.
#[derive(Clone, Copy)]
pub(super) enum Source {
    Any,
    Containers,
    Processes,
}

/// Servers that were just started and end by no means but these commands.
pub(super) struct Started {
    pub(super) postgres: Url,
    pub(super) redis: Url,
    /// Shell command that fails when one of them is gone.
    pub(super) alive: String,
    /// Shell command that ends both.
    pub(super) end: String,
}

/// Joins the users of the servers, starting them when they are not there.
pub(super) async fn join(source: Source) -> Result<Backends> {
    let home = home()?;
    let start = open(&home, "start.lock")?;
    start.lock()?;
    let in_use = open(&home, "users.lock")?;
    in_use.lock_shared()?;

    let state = home.join("servers.txt");
    let keeper = open(&home, "keeper.lock")?;
    let is_kept = matches!(keeper.try_lock(), Err(TryLockError::WouldBlock));
    let running = read(&state).filter(|(postgres, redis)| is_kept && answers(postgres) && answers(redis));
    let (postgres, redis) = if let Some(running) = running {
        running
    } else {
        if is_kept {
            // Its servers do not answer; it notices within a second or two and goes.
            keeper.lock()?;
        }
        let started = start_servers(source, &home).await?;
        spawn_keeper(&home, keeper, &started)?;
        fs::write(&state, format!("{}\n{}\n", started.postgres, started.redis))?;
        (started.postgres, started.redis)
    };
    Ok(Backends {
        postgres,
        redis,
        _in_use: Some(in_use),
    })
}

async fn start_servers(source: Source, home: &Path) -> Result<Started> {
    let data_dir = home.join("servers");
    match source {
        Source::Containers => containers::start().await,
        Source::Any if containers::are_possible().await => containers::start().await,
        Source::Any | Source::Processes => processes::start(&data_dir).await,
    }
}

/// Starts the script that ends the servers after their last user; it holds the lock as its standard input.
fn spawn_keeper(home: &Path, lock: File, started: &Started) -> Result<()> {
    Command::new("sh")
        .args(["-c", KEEPER, "reflex-test-keeper"])
        .arg(home)
        .args([&started.alive, &started.end])
        .stdin(lock)
        // Held open, they would make the test look unfinished.
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // The runner ends a test's process group with the test.
        .process_group(0)
        .current_dir("/")
        .spawn()
        .context("start the keeper of the servers")?;
    Ok(())
}

/// Returns the directory of this user's test servers.
fn home() -> Result<PathBuf> {
    let user = fs::metadata("/proc/self")?.uid();
    let home = std::env::temp_dir().join(format!("reflex-test-{user}"));
    // Open for the unprivileged account that root's servers run under.
    match fs::DirBuilder::new().mode(0o711).create(&home) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            return Err(error).with_context(|| format!("make {}", home.display()));
        }
        _ => {}
    }
    let metadata = fs::symlink_metadata(&home)?;
    ensure!(
        metadata.is_dir() && metadata.uid() == user,
        "{} belongs to somebody else",
        home.display()
    );
    Ok(home)
}

fn open(home: &Path, name: &str) -> Result<File> {
    let path = home.join(name);
    let file = File::options().create(true).append(true).open(&path);
    file.with_context(|| format!("open {}", path.display()))
}

fn read(state: &Path) -> Option<(Url, Url)> {
    let text = fs::read_to_string(state).ok()?;
    let mut urls = text.lines().map(Url::parse);
    Some((urls.next()?.ok()?, urls.next()?.ok()?))
}

fn answers(server: &Url) -> bool {
    let addresses = server.socket_addrs(|| None).unwrap_or_default();
    addresses
        .iter()
        .any(|address| TcpStream::connect_timeout(address, Duration::from_secs(1)).is_ok())
}
