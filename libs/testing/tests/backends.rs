//! Test processes share servers, which end after the last of them; each test has a database and keys of its own.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

use std::{
    env, fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
};

use redis::{Commands as _, RedisResult};
use reflex_pg::migrate::MIGRATIONS;
use reflex_testing::{Backends, TestDatabase, TestRedis, eventually};
use sqlx::{Connection as _, Executor as _, PgConnection};

#[tokio::test]
async fn a_test_has_a_database_of_its_own_with_the_schema() {
    let (one, other) = (
        TestDatabase::create(&[&MIGRATIONS]).await,
        TestDatabase::create(&[&MIGRATIONS]).await,
    );
    let mut owner = PgConnection::connect(&one.owner_url()).await.unwrap();
    owner.execute("create table leads ()").await.unwrap();
    let mut neighbour = PgConnection::connect(&other.owner_url()).await.unwrap();
    neighbour.execute("create table leads ()").await.unwrap();

    for (url, role) in [(one.app_url(), "reflex_app"), (one.worker_url(), "reflex_worker")] {
        let mut connection = PgConnection::connect(&url).await.unwrap();
        let user: String = sqlx::query_scalar("select current_user")
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert_eq!(user, role);
        let bound: Option<Vec<String>> = sqlx::query_scalar("select bound_tenants()")
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert_eq!(bound, None, "the migrations ran, and no tenant is bound");
    }
}

#[tokio::test]
async fn a_database_is_dropped_with_its_test_even_when_connections_are_left() {
    let database = TestDatabase::create(&[]).await;
    let url = database.owner_url();
    let mut left = PgConnection::connect(&url).await.unwrap();
    drop(database);
    left.execute("select 1").await.unwrap_err();
    let name = url.rsplit('/').next().unwrap();
    let mut server = PgConnection::connect(&Backends::shared().await.postgres_url("postgres"))
        .await
        .unwrap();
    let exists = "select exists (select from pg_database where datname = $1)";
    let exists: bool = sqlx::query_scalar(exists)
        .bind(name)
        .fetch_one(&mut server)
        .await
        .unwrap();
    assert!(!exists);
}

#[tokio::test]
async fn keys_are_removed_with_their_test_and_others_stay() {
    let (mine, other) = (TestRedis::create().await, TestRedis::create().await);
    let mut connection = redis::Client::open(mine.url()).unwrap().get_connection().unwrap();
    let [mine_key, other_key] = [&mine, &other].map(|redis| format!("{}leads.v1:0", redis.prefix()));
    for key in [&mine_key, &other_key] {
        let _: String = connection
            .xadd(key, "*", &[("type", "reflex.leads.v1.LeadCaptured")])
            .unwrap();
    }
    drop(mine);
    let left: RedisResult<Vec<bool>> = [mine_key, other_key].iter().map(|key| connection.exists(key)).collect();
    assert_eq!(left.unwrap(), [false, true]);
}

/// Runs tests of this very program in processes of their own, as nextest does, with a temporary directory of their own.
#[tokio::test]
async fn test_processes_share_servers_that_end_after_the_last_one() {
    let open = fs::Permissions::from_mode(0o755);
    let home = tempfile::Builder::new()
        .prefix("reflex-shared-")
        .permissions(open)
        .tempdir()
        .unwrap();
    let tests = [
        "a_test_has_a_database_of_its_own_with_the_schema",
        "keys_are_removed_with_their_test_and_others_stay",
    ];
    let mut running = tests.map(|test| {
        let mut command = Command::new(env::current_exe().unwrap());
        command
            .args(["--exact", test])
            .env("TMPDIR", home.path())
            .env("REFLEX_TEST_BACKEND", "process");
        command.stdout(Stdio::null()).spawn().unwrap()
    });
    for process in &mut running {
        assert!(process.wait().unwrap().success());
    }
    assert_eq!(starts_of_postgres(home.path()), 1, "both used the same servers");
    assert_ne!(
        processes_in(home.path()),
        Vec::<String>::new(),
        "the servers wait for the next test"
    );

    eventually("the servers and their keeper end", async || {
        processes_in(home.path()).is_empty()
    })
    .await;
    let mut left = fs::read_dir(home.path())
        .unwrap()
        .filter_map(Result::ok)
        .map(|entry| entry.path());
    let left: Vec<_> = fs::read_dir(left.next().unwrap())
        .unwrap()
        .filter_map(Result::ok)
        .collect();
    assert!(
        left.iter()
            .all(|entry| entry.path().extension().is_some_and(|end| end == "lock")),
        "{left:?}"
    );
}

fn starts_of_postgres(home: &Path) -> usize {
    let user_home = fs::read_dir(home).unwrap().next().unwrap().unwrap().path();
    let log = fs::read_to_string(user_home.join("servers/postgres.log")).unwrap();
    log.matches("starting PostgreSQL").count()
}

/// The command lines of all processes that were given a directory below this one.
fn processes_in(home: &Path) -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let lines = processes.filter_map(|process| fs::read_to_string(process.path().join("cmdline")).ok());
    lines.filter(|line| line.contains(home.to_str().unwrap())).collect()
}
