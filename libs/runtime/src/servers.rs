//! A PostgreSQL and a Redis of one's own, as child processes: for a laptop, a demo, a small site and the tests.
//!
//! They listen on the loopback address only, keep everything under one data directory, run as an unprivileged user
//! when this process is root (PostgreSQL refuses to run as root), and end with the process that started them, however
//! it ends. Whoever has servers already does not need this module.

mod home;
mod postgres;
mod process;
mod programs;
mod redis;

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    process::ExitStatus,
    time::Duration,
};

use home::{Home, Lifetime};
use process::Process;

/// How long a server may take to answer after its start; a crash recovery on a busy disk takes some 20 seconds.
const START_LIMIT: Duration = Duration::from_mins(1);

/// How often a server that ends at once is started again: its port may have been taken between choosing and binding,
/// or processes of a killed predecessor may still be on their way out.
const START_ATTEMPTS: u32 = 5;

/// Says where the servers keep their data and how careful they are with it.
#[derive(Clone, Debug)]
pub struct ServersOptions {
    /// Created when absent; belongs to one process at a time.
    pub data_dir: PathBuf,
    /// Keeps every committed row and at most loses a second of Redis when the machine fails, and asks for a password
    /// (kept in the data directory). Without it, for tests, nothing is ever flushed and every local user is let in.
    pub durable: bool,
    /// A free port when absent.
    pub postgres_port: Option<u16>,
    /// A free port when absent.
    pub redis_port: Option<u16>,
}

/// A running PostgreSQL and Redis that end when this value is dropped or its process dies.
pub struct PrivateServers {
    postgres: Process,
    redis: Process,
    addresses: Addresses,
    /// Held as long as the servers run, so that no second process ends them as left over.
    _lock: File,
}

/// A running PostgreSQL and Redis that outlive the process that started them; the holder of their ids ends them.
#[derive(Debug)]
pub struct DetachedServers {
    /// Process id of PostgreSQL; SIGQUIT ends it at once.
    pub postgres_pid: u32,
    /// Process id of Redis; SIGTERM ends it.
    pub redis_pid: u32,
    /// Superuser's address, without a database.
    pub postgres_url: String,
    /// Address of Redis.
    pub redis_url: String,
}

/// Why the servers could not be started, or are no longer there.
#[derive(Debug, thiserror::Error)]
pub enum ServersError {
    #[error("{program} was not found on this machine; install it with: {hint}")]
    Missing { program: &'static str, hint: &'static str },
    #[error("the data in {} was made by PostgreSQL {made_by}, which is not installed (found: {found}); install it or choose another data directory", data_dir.display())]
    OtherVersion {
        data_dir: PathBuf,
        made_by: String,
        found: String,
    },
    #[error("another process is using {}", .0.display())]
    InUse(PathBuf),
    #[error("{} is closed to the unprivileged account the servers run under; choose a data directory elsewhere, such as /var/lib/reflex", .0.display())]
    Closed(PathBuf),
    #[error("could not {doing}")]
    Io { doing: String, source: io::Error },
    #[error("initdb failed, saying: {0}")]
    Initdb(String),
    #[error("{server} did not start; the end of its log: {log}")]
    NotStarted { server: &'static str, log: String },
    #[error("{server} ended unasked: {status}")]
    Died { server: &'static str, status: ExitStatus },
}

impl PrivateServers {
    /// Starts both servers and returns when they answer. What a killed predecessor left running on the same data
    /// directory is ended first.
    ///
    /// # Errors
    /// When a program is missing, the directory is in use or of another version, or a server does not come up.
    pub async fn start(options: ServersOptions) -> Result<Self, ServersError> {
        let (home, lock) = Home::open(&options, Lifetime::Owner)?;
        let (postgres, redis) = start_both(&home, &options).await?;
        let addresses = Addresses {
            postgres_port: postgres.port,
            redis_port: redis.port,
            password: home.password.clone(),
        };
        Ok(Self {
            postgres: postgres.process,
            redis: redis.process,
            addresses,
            _lock: lock,
        })
    }

    /// Returns the superuser's address of one database; `postgres` is the database that is there from the start.
    #[must_use]
    pub fn postgres_url(&self, database: &str) -> String {
        self.addresses.postgres_url(database)
    }

    /// Returns the address of Redis.
    #[must_use]
    pub fn redis_url(&self) -> String {
        self.addresses.redis_url()
    }

    /// Waits until one of the servers ends by itself, and says which: nothing works any more then.
    pub async fn died(&self) -> ServersError {
        tokio::select! {
            status = self.postgres.exited() => ServersError::Died { server: "PostgreSQL", status },
            status = self.redis.exited() => ServersError::Died { server: "Redis", status },
        }
    }

    /// Ends both servers in order: connections are closed, data is written, the next start needs no recovery.
    pub async fn stop(self) {
        tokio::join!(postgres::stop(&self.postgres), redis::stop(&self.redis));
    }
}

impl DetachedServers {
    /// Starts both servers so that they stay when this process ends: for test processes that share them.
    ///
    /// # Errors
    /// As for [`PrivateServers::start`].
    pub async fn start(options: ServersOptions) -> Result<Self, ServersError> {
        let (home, _lock) = Home::open(&options, Lifetime::Detached)?;
        let (postgres, redis) = start_both(&home, &options).await?;
        let addresses = Addresses {
            postgres_port: postgres.port,
            redis_port: redis.port,
            password: home.password.clone(),
        };
        Ok(Self {
            postgres_pid: postgres.process.detach(),
            redis_pid: redis.process.detach(),
            postgres_url: addresses.postgres_url(""),
            redis_url: addresses.redis_url(),
        })
    }

    /// Ends servers that were started on this directory and that nobody keeps any more.
    ///
    /// # Errors
    /// When they cannot be ended.
    pub async fn end_left_over(data_dir: &Path) -> Result<(), ServersError> {
        if let Ok(data_dir) = data_dir.canonicalize() {
            tokio::try_join!(postgres::end_left_over(&data_dir), redis::end_left_over(&data_dir))?;
        }
        Ok(())
    }
}

async fn start_both(home: &Home, options: &ServersOptions) -> Result<(Started, Started), ServersError> {
    tokio::try_join!(
        postgres::start(home, options.postgres_port),
        redis::start(home, options.redis_port)
    )
}

/// A server that answers on its port.
struct Started {
    process: Process,
    port: u16,
}

/// Where the servers listen.
struct Addresses {
    postgres_port: u16,
    redis_port: u16,
    password: Option<String>,
}

impl Addresses {
    fn postgres_url(&self, database: &str) -> String {
        let secret = self
            .password
            .as_ref()
            .map(|password| format!(":{password}"))
            .unwrap_or_default();
        format!(
            "postgres://{}{secret}@127.0.0.1:{}/{database}",
            postgres::SUPERUSER,
            self.postgres_port
        )
    }

    fn redis_url(&self) -> String {
        let secret = self
            .password
            .as_ref()
            .map(|password| format!(":{password}@"))
            .unwrap_or_default();
        format!("redis://{secret}127.0.0.1:{}/", self.redis_port)
    }
}

/// Chooses the port to listen on: the given one, or one that is free now.
fn choose_port(given: Option<u16>) -> Result<u16, ServersError> {
    match given {
        Some(port) => Ok(port),
        None => std::net::TcpListener::bind(("127.0.0.1", 0))
            .and_then(|listener| listener.local_addr())
            .map(|address| address.port())
            .context(|| "find a free port".to_owned()),
    }
}

/// Says what was being done when an operation of the system failed.
trait Context<T> {
    fn context(self, doing: impl FnOnce() -> String) -> Result<T, ServersError>;
}

impl<T> Context<T> for io::Result<T> {
    fn context(self, doing: impl FnOnce() -> String) -> Result<T, ServersError> {
        self.map_err(|source| ServersError::Io { doing: doing(), source })
    }
}
