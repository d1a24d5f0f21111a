//! Private servers end with their owner, however it ends, and keep what they promised to keep.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Stdio},
};

use redis::Commands as _;
use reflex_runtime::servers::{DetachedServers, PrivateServers, ServersError, ServersOptions};
use reflex_testing::eventually;
use sqlx::{Connection as _, Executor as _, PgConnection, Row as _};
use tempfile::TempDir;

#[tokio::test]
async fn data_survives_the_kill_of_its_owner_and_no_process_does() {
    let home = new_home();
    let (mut owner, postgres, redis) = start_owner(home.path());
    let mut connection = PgConnection::connect(&postgres).await.unwrap();
    connection.execute("create table leads (name text)").await.unwrap();
    connection.execute("insert into leads values ('张三')").await.unwrap();
    let () = redis_at(&redis).set("lead", "张三").unwrap();
    assert_ne!(servers_in(home.path()), Vec::<String>::new());

    owner.kill().unwrap();
    owner.wait().unwrap();
    eventually("both servers end with their owner", async || {
        servers_in(home.path()).is_empty()
    })
    .await;

    let servers = PrivateServers::start(durable(home.path())).await.unwrap();
    assert_eq!(lead_in(&servers.postgres_url("postgres")).await, "张三");
    assert_eq!(redis_at(&servers.redis_url()).get::<_, String>("lead").unwrap(), "张三");
    servers.stop().await;
    assert_eq!(servers_in(home.path()), Vec::<String>::new());
}

#[tokio::test]
async fn an_owner_that_ends_in_order_leaves_nothing_either() {
    let home = new_home();
    let (mut owner, _, _) = start_owner(home.path());
    drop(owner.stdin.take());
    assert!(owner.wait().unwrap().success());
    assert_eq!(servers_in(home.path()), Vec::<String>::new());
    let log = fs::read_to_string(home.path().join("data/postgres.log")).unwrap();
    assert!(log.contains("received fast shutdown request"), "{log}");
}

#[tokio::test]
async fn servers_left_over_by_a_killed_owner_are_ended_at_the_next_start() {
    let home = new_home();
    let left_over = DetachedServers::start(durable(home.path())).await.unwrap();
    let mut connection = PgConnection::connect(&format!("{}postgres", left_over.postgres_url))
        .await
        .unwrap();
    connection
        .execute("create table leads as select 'kept' as name")
        .await
        .unwrap();

    let servers = PrivateServers::start(durable(home.path())).await.unwrap();
    for pid in [left_over.postgres_pid, left_over.redis_pid] {
        assert!(!Path::new(&format!("/proc/{pid}")).exists(), "{pid} is left over");
    }
    connection.execute("select 1").await.unwrap_err();
    assert_eq!(lead_in(&servers.postgres_url("postgres")).await, "kept");

    // Dropping must not wait for a runtime, and leaves nothing.
    drop(servers);
    assert_eq!(servers_in(home.path()), Vec::<String>::new());
}

#[tokio::test]
async fn a_directory_belongs_to_one_process_at_a_time() {
    let home = new_home();
    let servers = PrivateServers::start(careless(home.path())).await.unwrap();
    let second = PrivateServers::start(careless(home.path())).await.err().unwrap();
    assert!(matches!(second, ServersError::InUse(_)), "{second}");
    PgConnection::connect(&servers.postgres_url("postgres")).await.unwrap();
}

#[tokio::test]
async fn a_server_that_dies_is_reported() {
    let home = new_home();
    let servers = PrivateServers::start(careless(home.path())).await.unwrap();
    let _: redis::RedisResult<()> = redis::cmd("SHUTDOWN").query(&mut redis_at(&servers.redis_url()));
    let error = servers.died().await;
    assert!(matches!(error, ServersError::Died { server: "Redis", .. }), "{error}");
}

#[tokio::test]
async fn durable_servers_ask_for_a_password() {
    let home = new_home();
    let servers = PrivateServers::start(durable(home.path())).await.unwrap();
    let [postgres, redis] = [servers.postgres_url("postgres"), servers.redis_url()].map(|url| {
        let mut url: url::Url = url.parse().unwrap();
        url.set_password(None).unwrap();
        url.to_string()
    });
    PgConnection::connect(&postgres).await.unwrap_err();
    redis_at(&redis).get::<_, Option<String>>("lead").unwrap_err();
    let password = fs::metadata(home.path().join("data/password")).unwrap();
    assert_eq!(password.permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_server_that_cannot_start_shows_its_log() {
    let home = new_home();
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let options = ServersOptions {
        redis_port: Some(port),
        ..careless(home.path())
    };
    let error = PrivateServers::start(options).await.err().unwrap().to_string();
    assert!(
        error.contains("Redis did not start") && error.contains("Address already in use"),
        "{error}"
    );
    assert_eq!(servers_in(home.path()), Vec::<String>::new());
}

/// A directory the servers' account can pass through.
fn new_home() -> TempDir {
    let open = fs::Permissions::from_mode(0o755);
    tempfile::Builder::new()
        .prefix("reflex-servers-")
        .permissions(open)
        .tempdir()
        .unwrap()
}

fn durable(home: &Path) -> ServersOptions {
    ServersOptions {
        data_dir: home.join("data"),
        durable: true,
        postgres_port: None,
        redis_port: None,
    }
}

fn careless(home: &Path) -> ServersOptions {
    ServersOptions {
        durable: false,
        ..durable(home)
    }
}

/// Starts the program that owns servers; returns it and their addresses.
fn start_owner(home: &Path) -> (Child, String, String) {
    let mut owner = Command::new(env!("CARGO_BIN_EXE_private-servers"))
        .arg(home.join("data"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(owner.stdout.take().unwrap()).lines();
    let mut address = || lines.next().unwrap().unwrap();
    let (postgres, redis) = (address(), address());
    (owner, postgres, redis)
}

fn redis_at(url: &str) -> redis::Connection {
    redis::Client::open(url).unwrap().get_connection().unwrap()
}

async fn lead_in(url: &str) -> String {
    let mut connection = PgConnection::connect(url).await.unwrap();
    connection
        .fetch_one("select name from leads")
        .await
        .unwrap()
        .get("name")
}

/// The command lines of all processes that were given a directory below this one, except the owner's.
fn servers_in(home: &Path) -> Vec<String> {
    let home = home.to_str().unwrap();
    let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let lines = processes.filter_map(|process| fs::read_to_string(process.path().join("cmdline")).ok());
    lines
        .filter(|line| line.contains(home) && !line.contains("private-servers"))
        .collect()
}
