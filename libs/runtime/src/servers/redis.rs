//! The private Redis: starts it and waits until its data is loaded.

use std::{fmt::Write as _, path::Path, time::Duration};

use rustix::process::Signal;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{sleep, timeout},
};

use super::{
    START_ATTEMPTS, START_LIMIT, ServersError, Started, choose_port,
    home::Home,
    process::{self, Kind, Process},
    programs,
};

/// Ended by SIGTERM: it writes what it still holds back and goes.
static KIND: Kind = Kind {
    name: "Redis",
    programs: &programs::REDIS,
    end: Signal::TERM,
};

pub(super) async fn start(home: &Home, port: Option<u16>) -> Result<Started, ServersError> {
    let program = programs::find_redis()?;
    let data_dir = home.make_dir("redis")?;
    let log = home.new_log("redis")?;
    process::end_left_over(&KIND, &data_dir).await?;

    for attempt in 1..=START_ATTEMPTS {
        let port = choose_port(port)?;
        let mut command = programs::command(&program, home, "TERM")?;
        // The settings come by standard input, because everybody may read a command line and one is a password. The
        // directory is on it, so that a later start recognises this server.
        command.arg("-").arg("--dir").arg(&data_dir);
        let process = Process::spawn(&KIND, command, &settings(home, port), &log)?;
        if is_ready(&process, port, home.password.as_deref()).await {
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
    process::end_left_over(&KIND, &home.join("redis")).await
}

/// Ends the server in order.
pub(super) async fn stop(process: &Process) {
    if !process.end(KIND.end, Duration::from_secs(15)).await {
        process.end(Signal::KILL, Duration::from_secs(5)).await;
    }
}

fn settings(home: &Home, port: u16) -> String {
    // An append-only file, flushed every second, is what survives; snapshots beside it would only cost memory.
    let append_only = if home.durable { "yes" } else { "no" };
    let mut settings = format!(
        "bind 127.0.0.1\nport {port}\nappendonly {append_only}\nappendfsync everysec\nsave \"\"\n\
         maxmemory-policy noeviction\nset-proc-title no\n"
    );
    if let Some(password) = &home.password {
        writeln!(settings, "requirepass {password}").expect("a string takes any text");
    }
    settings
}

/// Waits until the server answers; false when it ended or took too long.
async fn is_ready(process: &Process, port: u16, password: Option<&str>) -> bool {
    let until_answer = async {
        while !matches!(answers(process.id(), port, password).await, Ok(true)) {
            sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        // First, because whoever has the port instead may answer too, or never.
        biased;
        _ = process.exited() => false,
        answer = timeout(START_LIMIT, until_answer) => answer.is_ok(),
    }
}

/// Asks for a sign of life. A server that is still loading its data answers with an error, and one with another
/// process id is somebody else's that was quicker to take the port.
async fn answers(pid: u32, port: u16, password: Option<&str>) -> std::io::Result<bool> {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).await?;
    let login = password
        .map(|password| format!("AUTH {password}\r\n"))
        .unwrap_or_default();
    connection
        .write_all(format!("{login}PING\r\nINFO server\r\nQUIT\r\n").as_bytes())
        .await?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await?;
    Ok(answer.contains("+PONG\r\n") && answer.contains(&format!("\r\nprocess_id:{pid}\r\n")))
}
