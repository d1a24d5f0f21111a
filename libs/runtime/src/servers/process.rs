//! One server process: started, watched, ended, and found again after its owner was killed.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, Write as _},
    os::unix::{ffi::OsStrExt as _, process::CommandExt as _},
    path::Path,
    process::{Command, ExitStatus, Stdio},
    sync::mpsc,
    thread::{self, JoinHandle},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

use super::{Context as _, ServersError};

/// How long an ended server may take before it is killed.
const END_LIMIT: Duration = Duration::from_secs(10);

/// What a server is called and how it is ended at once, losing nothing it has promised to keep.
pub(super) struct Kind {
    pub(super) name: &'static str,
    /// What its program may be called.
    pub(super) programs: &'static [&'static str],
    pub(super) end: Signal,
}

/// A child process, ended when this value is dropped.
pub(super) struct Process {
    kind: &'static Kind,
    pid: Pid,
    exited: watch::Receiver<Option<ExitStatus>>,
    /// Taken when the process is detached.
    parent: Option<JoinHandle<()>>,
}

impl Process {
    /// Starts the program with this text as its input and its output added to the log.
    pub(super) fn spawn(
        kind: &'static Kind,
        mut command: Command,
        input: &str,
        log: &Path,
    ) -> Result<Self, ServersError> {
        let doing = || format!("start {}", kind.name);
        let output = File::options().append(true).create(true).open(log).context(doing)?;
        let errors = output.try_clone().context(doing)?;
        // Its own process group: Ctrl-C is meant for the services, which still need the servers while they stop.
        command
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(errors);

        let (started, is_started) = mpsc::channel();
        let (exit, exited) = watch::channel(None);
        // A thread of its own, because the death signal is bound to the thread that starts the child, and a thread of
        // the async runtime may end long before the process.
        let parent = thread::Builder::new()
            .name(format!("{}-parent", kind.name))
            .spawn(move || {
                let mut child = match command.spawn() {
                    Ok(child) => child,
                    Err(error) => return drop(started.send(Err(error))),
                };
                let input = child.stdin.take().expect("its input is piped");
                // The receiver is gone only when the starting thread panicked; waiting is right then too.
                let _ = started.send(Ok((child.id(), input)));
                if let Ok(status) = child.wait() {
                    exit.send_replace(Some(status));
                }
            });
        let parent = parent.context(doing)?;
        let (pid, mut pipe) = is_started.recv().map_err(io::Error::other).flatten().context(doing)?;
        let pid = i32::try_from(pid)
            .ok()
            .and_then(Pid::from_raw)
            .expect("the system's process ids are positive i32");
        let process = Self {
            kind,
            pid,
            exited,
            parent: Some(parent),
        };
        // Fails when the child has ended already; its log says why, and whoever waits for its answer reads that.
        let _ = pipe.write_all(input.as_bytes());
        Ok(process)
    }

    pub(super) fn id(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    pub(super) fn has_exited(&self) -> bool {
        self.exited.borrow().is_some()
    }

    /// Waits for the end of the process.
    pub(super) async fn exited(&self) -> ExitStatus {
        let mut exited = self.exited.clone();
        let status = exited.wait_for(Option::is_some).await.ok().and_then(|status| *status);
        status.unwrap_or_default()
    }

    /// Sends a signal and waits for the end; false when the process is still there after the limit.
    pub(super) async fn end(&self, signal: Signal, limit: Duration) -> bool {
        self.signal(signal);
        timeout(limit, self.exited()).await.is_ok()
    }

    fn signal(&self, signal: Signal) {
        if !self.has_exited() {
            // It may have ended this moment, which is what was wanted.
            let _ = kill_process(self.pid, signal);
        }
    }

    /// Lets the process outlive this value and this program.
    pub(super) fn detach(mut self) -> u32 {
        self.parent = None;
        self.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(parent) = self.parent.take() {
            self.signal(self.kind.end);
            // A panic in that thread has nothing left to clean up.
            let _ = parent.join();
        }
    }
}

/// Ends what a killed owner left running: every process of this program that was given this directory.
///
/// Recognised by their command line, not by a number in a file: after a restart of the machine that number may belong
/// to somebody else's server.
pub(super) async fn end_left_over(kind: &Kind, dir: &Path) -> Result<(), ServersError> {
    let patience_ends = Instant::now() + END_LIMIT;
    loop {
        let left_over = running(kind, dir).context(|| format!("look for a left-over {}", kind.name))?;
        if left_over.is_empty() {
            return Ok(());
        }
        let signal = if Instant::now() < patience_ends {
            kind.end
        } else {
            Signal::KILL
        };
        for pid in left_over {
            tracing::info!(
                server = kind.name,
                pid = pid.as_raw_nonzero(),
                "ending a left-over server"
            );
            kill_process(pid, signal)
                .map_err(io::Error::from)
                .or_else(gone)
                .context(|| format!("end the left-over {} {}", kind.name, pid.as_raw_nonzero()))?;
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// A process that ended by itself meanwhile is as good as one that was ended.
fn gone(error: io::Error) -> io::Result<()> {
    if error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error()) {
        Ok(())
    } else {
        Err(error)
    }
}

fn running(kind: &Kind, dir: &Path) -> io::Result<Vec<Pid>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw) else {
            continue;
        };
        // Gone since the listing, or nobody else's business.
        let Ok(line) = fs::read(Path::new("/proc").join(name).join("cmdline")) else {
            continue;
        };
        if is_server(&line, kind, dir) {
            found.push(pid);
        }
    }
    Ok(found)
}

/// Whether a command line, its words separated by NUL, runs such a program with this directory as one of its words.
fn is_server(line: &[u8], kind: &Kind, dir: &Path) -> bool {
    let mut words = line.split(|byte| *byte == 0).map(OsStr::from_bytes);
    let program = words.next().and_then(|word| Path::new(word).file_name());
    kind.programs.iter().any(|name| program == Some(OsStr::new(name))) && words.any(|word| word == dir)
}

/// The last lines a server wrote, for an error message.
pub(super) fn end_of_log(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_left_over_server_is_recognised_by_program_and_directory() {
        let kind = Kind {
            name: "PostgreSQL",
            programs: &["postgres"],
            end: Signal::QUIT,
        };
        let recognised = |line: &[u8]| is_server(line, &kind, Path::new("/data/postgres"));
        assert!(recognised(b"/opt/postgres\0-D\0/data/postgres\0-c\0port=1\0"));
        assert!(
            !recognised(b"/opt/postgres\0-D\0/data/postgres.new\0"),
            "another directory"
        );
        assert!(!recognised(b"/usr/bin/vim\0/data/postgres\0"), "another program");
        assert!(!recognised(b""), "a process that has ended and waits to be reaped");
    }

    #[test]
    fn only_the_end_of_a_log_is_shown() {
        let log = std::env::temp_dir().join(format!("reflex-log-{}", std::process::id()));
        fs::write(&log, "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n").unwrap();
        assert_eq!(end_of_log(&log), "3\n4\n5\n6\n7\n8\n9\n10");
        fs::remove_file(&log).unwrap();
        assert_eq!(end_of_log(&log), "");
    }
}
