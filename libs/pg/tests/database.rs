//! Tenant binding, retried requests and fenced shards on a real database.

#![cfg(test)]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use reflex_pg::{
    Database, DatabaseConfig, DbError, catalogue,
    lease::{Hold, ShardWorker, Shards},
    migrate::MIGRATIONS,
    requests::{self, ClaimError, Claimed, RequestKey},
};
use reflex_runtime::ids::{IdSource as _, SystemIds};
use reflex_tenancy::{TenantId, TenantSet};
use reflex_testing::{TestDatabase, eventually};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

fn tenant(id: &str) -> TenantId {
    id.parse().unwrap()
}

async fn database(max_connections: u32) -> (TestDatabase, Database) {
    let test = TestDatabase::create(&[&MIGRATIONS]).await;
    let config = DatabaseConfig {
        app_url: test.app_url().into(),
        worker_url: test.worker_url().into(),
        owner_url: test.owner_url().into(),
        max_connections,
    };
    (test, Database::connect(&config).unwrap())
}

fn key(payload: u8) -> RequestKey {
    RequestKey {
        method: "Test",
        request_id: Uuid::from_u128(7),
        payload_hash: [payload; 32],
    }
}

async fn visible(db: &Database, tenants: &TenantSet) -> i64 {
    let mut tx = db.begin("count", tenants).await.unwrap();
    sqlx::query_scalar("select count(*) from request_ids")
        .fetch_one(&mut *tx)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_transaction_sees_its_tenants_only_whoever_used_the_connection_before() {
    // The only connection goes through the pool; of two, one goes from commit to commit.
    for connections in [1, 2] {
        let (_test, db) = database(connections).await;
        connections_forget(&db).await;
    }
}

#[tokio::test]
async fn who_waits_for_a_connection_is_served_by_the_next_commit() {
    let (_test, db) = database(2).await;
    let tenants = TenantSet::one(&tenant("a"));
    let held = db.begin("held", &tenants).await.unwrap();
    let next = db.begin("next", &tenants).await.unwrap();
    let (waits, committed) = tokio::join!(db.begin("waits", &tenants), next.commit());
    committed.unwrap();
    waits.unwrap().commit().await.unwrap();
    held.commit().await.unwrap();
}

async fn connections_forget(db: &Database) {
    for id in ["a", "b"] {
        let mut tx = db.begin("write", &TenantSet::one(&tenant(id))).await.unwrap();
        assert_eq!(
            requests::claim(&mut tx, &tenant(id), &key(1)).await.unwrap(),
            Claimed::New
        );
        tx.commit().await.unwrap();
    }
    for _ in 0..3 {
        assert_eq!(visible(db, &TenantSet::one(&tenant("a"))).await, 1);
        // An error in the middle leaves the connection usable and bound to nobody.
        let mut tx = db.begin("broken", &TenantSet::one(&tenant("b"))).await.unwrap();
        assert!(sqlx::query("select 1 / 0").execute(&mut *tx).await.is_err());
        drop(tx);
        let unbound: i64 = sqlx::query_scalar("select count(*) from request_ids")
            .fetch_one(&db.app)
            .await
            .unwrap();
        assert_eq!(unbound, 0, "no tenant means no rows");
        let alone = sqlx::query_as(
            "with bound as materialized (select set_config('reflex.tenants', $1, true))
             select (select count(*) from request_ids) from bound",
        );
        let counted: Vec<(i64,)> = db.run_alone("alone", alone.bind("b")).await.unwrap();
        assert_eq!(counted, [(1,)]);
        let next = sqlx::query_as("select count(*) from request_ids");
        let counted: Vec<(i64,)> = db.run_alone("next", next).await.unwrap();
        assert_eq!(counted, [(0,)], "what a statement binds ends with it");
    }
    assert_eq!(visible(db, &[tenant("a"), tenant("b")].into_iter().collect()).await, 2);

    let mut tx = db.begin("cross", &TenantSet::one(&tenant("a"))).await.unwrap();
    let crossed = requests::claim(&mut tx, &tenant("b"), &key(9)).await;
    assert!(crossed.is_err(), "a row of another tenant cannot be written");
}

#[tokio::test]
async fn the_schema_keeps_tenants_apart() {
    let (_test, db) = database(2).await;
    assert_eq!(catalogue::findings(&db.app).await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_table_that_filled_since_anybody_looked_is_counted_again() {
    let (test, db) = database(2).await;
    let id = tenant("a");
    let mut tx = db.begin("fill", &TenantSet::one(&id)).await.unwrap();
    for number in 0..150 {
        let key = RequestKey {
            request_id: Uuid::from_u128(number),
            ..key(1)
        };
        requests::claim(&mut tx, &id, &key).await.unwrap();
    }
    // A busy connection tells what it wrote each second, an idle one only after ten.
    sqlx::query("select pg_stat_force_next_flush()")
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let owner = sqlx::PgPool::connect(&test.owner_url()).await.unwrap();
    eventually("the rows are counted", async || {
        let _tables: i32 = sqlx::query_scalar("select refresh_statistics()")
            .fetch_one(&db.worker)
            .await
            .unwrap();
        let rows: f32 = sqlx::query_scalar("select reltuples from pg_class where relname = 'request_ids'")
            .fetch_one(&owner)
            .await
            .unwrap();
        rows > 100.0
    })
    .await;
}

#[tokio::test]
async fn a_request_id_is_claimed_once_also_by_callers_at_the_same_moment() {
    let (_test, db) = database(8).await;
    let id = tenant("a");
    let tries = (0..6).map(|_| async {
        let mut tx = db.begin("claim", &TenantSet::one(&id)).await.unwrap();
        let claimed = requests::claim(&mut tx, &id, &key(1)).await.unwrap();
        if claimed == Claimed::New {
            requests::answer(&mut tx, &id, &key(1), b"answer").await.unwrap();
        }
        tx.commit().await.unwrap();
        claimed
    });
    let outcomes = futures_util::future::join_all(tries).await;
    assert_eq!(outcomes.iter().filter(|claimed| **claimed == Claimed::New).count(), 1);
    assert_eq!(
        outcomes
            .iter()
            .filter(|claimed| **claimed == Claimed::Answered(b"answer".to_vec()))
            .count(),
        5
    );

    let mut tx = db.begin("claim", &TenantSet::one(&id)).await.unwrap();
    assert!(matches!(
        requests::claim(&mut tx, &id, &key(2)).await,
        Err(ClaimError::Reused)
    ));
}

/// Tells which shards it got and holds them until it is stopped.
struct Recorder {
    holds: mpsc::UnboundedSender<Hold>,
    running: Arc<Mutex<Vec<String>>>,
}

impl ShardWorker for Recorder {
    async fn work(&self, hold: Hold, stop: CancellationToken) {
        self.running.lock().unwrap().push(hold.shard().to_owned());
        self.holds.send(hold.clone()).unwrap();
        stop.cancelled().await;
        self.running.lock().unwrap().retain(|shard| shard != hold.shard());
    }
}

struct Replica {
    holds: mpsc::UnboundedReceiver<Hold>,
    running: Arc<Mutex<Vec<String>>>,
    stop: CancellationToken,
    keeper: tokio::task::JoinHandle<()>,
}

impl Replica {
    fn start(db: &Database, count: i16) -> Self {
        let (sender, holds) = mpsc::unbounded_channel();
        let running = Arc::new(Mutex::new(Vec::new()));
        let worker = Recorder {
            holds: sender,
            running: Arc::clone(&running),
        };
        let stop = CancellationToken::new();
        let shards = Shards::new(db.worker.clone(), SystemIds.next(), "test", count, worker);
        #[expect(clippy::disallowed_methods, reason = "a replica that the test kills")]
        let keeper = tokio::spawn(shards.run(stop.clone()));
        Self {
            holds,
            running,
            stop,
            keeper,
        }
    }

    fn running(&self) -> usize {
        self.running.lock().unwrap().len()
    }
}

#[tokio::test]
async fn replicas_share_shards_and_take_them_over() {
    let (_test, db) = database(16).await;
    let first = Replica::start(&db, 4);
    eventually("one replica has all", async || first.running() == 4).await;
    let mut second = Replica::start(&db, 4);
    eventually("two replicas have half each", async || {
        (first.running(), second.running()) == (2, 2)
    })
    .await;

    // Stopped in order: its shards move at once.
    first.stop.cancel();
    first.keeper.await.unwrap();
    eventually("the rest moved", async || second.running() == 4).await;

    // Gone without a word, connections and all: taken over, and what it held is worth nothing any more.
    let old = second.holds.recv().await.unwrap();
    second.keeper.abort();
    let third = Replica::start(&db, 4);
    eventually("everything moved", async || third.running() == 4).await;
    let refused = db
        .begin_held("late", &TenantSet::one(&tenant("a")), &[&old])
        .await
        .unwrap_err();
    assert!(matches!(refused, DbError::LeaseLost), "{refused:?}");
    // The refusal leaves the connection usable.
    assert_eq!(visible(&db, &TenantSet::one(&tenant("a"))).await, 0);
    third.stop.cancel();
    third.keeper.await.unwrap();
}

#[tokio::test]
async fn a_database_that_is_away_is_told_as_such() {
    let config = DatabaseConfig {
        app_url: "postgres://reflex_app@127.0.0.1:1/none".into(),
        worker_url: "postgres://reflex_worker@127.0.0.1:1/none".into(),
        owner_url: "postgres://postgres@127.0.0.1:1/none".into(),
        max_connections: 1,
    };
    let db = Database::connect(&config).unwrap();
    let begun = tokio::time::timeout(Duration::from_secs(10), db.begin("away", &TenantSet::default())).await;
    assert!(matches!(begun, Ok(Err(DbError::Unavailable(_)))));
}
