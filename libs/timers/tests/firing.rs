//! Timers fire once, in order, also after downtime and failures.

#![cfg(test)]

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use parking_lot::Mutex;
use reflex_pg::{Database, DatabaseConfig, DbError, lease::Shards};
use reflex_runtime::ids::{IdSource as _, SystemIds};
use reflex_tenancy::{TenantId, TenantSet};
use reflex_testing::{FixedClock, TestDatabase, eventually, fixture_time};
use reflex_timers::{Fire, TIMER_SHARDS, Timer, TimerLoop, TimerWake};
use serde_json::json;
use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;

/// Remembers what fired; refuses keys it was told to, a number of times.
#[derive(Clone, Default)]
struct Recorder {
    fired: Arc<Mutex<Vec<String>>>,
    refusals: Arc<Mutex<Vec<String>>>,
}

impl Fire for Recorder {
    type Error = DbError;

    async fn fire(&self, _tx: &mut PgConnection, timers: &[Timer]) -> Result<(), DbError> {
        for timer in timers {
            let refused = self.refusals.lock().iter().position(|key| *key == timer.key);
            if let Some(at) = refused {
                self.refusals.lock().remove(at);
                return Err(DbError::Statement(sqlx::Error::RowNotFound));
            }
        }
        self.fired.lock().extend(timers.iter().map(|timer| timer.key.clone()));
        Ok(())
    }
}

struct World {
    db: Database,
    clock: Arc<FixedClock>,
    recorder: Recorder,
    stop: CancellationToken,
    _test: TestDatabase,
}

fn tenant() -> TenantId {
    "a".parse().unwrap()
}

impl World {
    async fn start() -> Self {
        let test = TestDatabase::create(&[&reflex_pg::migrate::MIGRATIONS, &reflex_timers::MIGRATIONS]).await;
        let config = DatabaseConfig {
            app_url: test.app_url().into(),
            worker_url: test.worker_url().into(),
            owner_url: test.owner_url().into(),
            max_connections: 8,
        };
        Self {
            db: Database::connect(&config).unwrap(),
            clock: Arc::new(FixedClock::new(fixture_time())),
            recorder: Recorder::default(),
            stop: CancellationToken::new(),
            _test: test,
        }
    }

    /// Starts a replica's loop.
    fn run(&self) {
        let timers = TimerLoop::new(
            self.db.clone(),
            Arc::clone(&self.clock) as _,
            self.recorder.clone(),
            TimerWake::default(),
        );
        let shards = Shards::new(self.db.worker.clone(), SystemIds.next(), "timers", TIMER_SHARDS, timers);
        #[expect(clippy::disallowed_methods, reason = "a replica of the test")]
        drop(tokio::spawn(shards.run(self.stop.clone())));
    }

    async fn set(&self, key: &str, after: SignedDuration) {
        let timer = Timer {
            tenant: tenant(),
            kind: "test".into(),
            key: key.into(),
            due_time: self.clock.now_plus(after),
            payload: json!({}),
            traceparent: None,
        };
        let mut tx = self.db.begin("set", &TenantSet::one(&tenant())).await.unwrap();
        reflex_timers::set(&mut tx, &[timer]).await.unwrap();
        tx.commit().await.unwrap();
    }

    fn fired(&self) -> Vec<String> {
        self.recorder.fired.lock().clone()
    }
}

trait NowPlus {
    fn now_plus(&self, after: SignedDuration) -> jiff::Timestamp;
}

impl NowPlus for FixedClock {
    fn now_plus(&self, after: SignedDuration) -> jiff::Timestamp {
        use reflex_runtime::clock::Clock as _;
        self.now() + after
    }
}

#[tokio::test]
async fn what_is_due_fires_once_over_two_replicas_and_after_downtime() {
    let world = World::start().await;
    for number in 0..50 {
        world
            .set(&format!("k{number:02}"), SignedDuration::from_mins(number))
            .await;
    }
    world.set("later", SignedDuration::from_hours(24 * 365 * 3)).await;
    // Due while nobody runs: caught up with.
    world.clock.advance(SignedDuration::from_hours(2));
    world.run();
    world.run();
    eventually("all fired", async || world.fired().len() == 50).await;
    let mut fired = world.fired();
    fired.sort_unstable();
    fired.dedup();
    assert_eq!(fired.len(), 50, "each once");
    world.clock.advance(SignedDuration::from_hours(24 * 365 * 3));
    eventually("three years later", async || {
        world.fired().iter().any(|key| key == "later")
    })
    .await;
    assert_eq!(world.fired().len(), 51);
    world.stop.cancel();
}

#[tokio::test]
async fn cancelled_and_replaced_timers_do_not_fire() {
    let world = World::start().await;
    world.set("leads/1/1", SignedDuration::from_mins(1)).await;
    world.set("leads/1/2", SignedDuration::from_mins(1)).await;
    world.set("leads/10/1", SignedDuration::from_mins(1)).await;
    world.set("moved", SignedDuration::from_mins(1)).await;
    world.set("moved", SignedDuration::from_mins(90)).await;
    let mut tx = world.db.begin("cancel", &TenantSet::one(&tenant())).await.unwrap();
    assert_eq!(
        reflex_timers::cancel(&mut tx, &tenant(), "test", "leads/1/")
            .await
            .unwrap(),
        2
    );
    tx.commit().await.unwrap();
    world.clock.advance(SignedDuration::from_mins(60));
    world.run();
    eventually("what was left fired", async || world.fired() == ["leads/10/1"]).await;
    world.clock.advance(SignedDuration::from_mins(60));
    eventually("the moved one too", async || world.fired() == ["leads/10/1", "moved"]).await;
    world.stop.cancel();
}

#[tokio::test]
async fn a_failing_timer_is_tried_again_and_keeps_no_other_from_firing() {
    let world = World::start().await;
    // Once in the batch, once by itself.
    *world.recorder.refusals.lock() = vec!["bad".into(), "bad".into()];
    for key in ["bad", "good", "fine"] {
        world.set(key, SignedDuration::ZERO).await;
    }
    world.run();
    eventually("the others fired", async || world.fired().len() == 2).await;
    assert!(!world.fired().contains(&"bad".to_owned()));
    let attempts = async || -> bool {
        let mut tx = world.db.begin("look", &TenantSet::one(&tenant())).await.unwrap();
        let attempts: i32 = sqlx::query_scalar("select attempts from timers where key = 'bad'")
            .fetch_one(&mut *tx)
            .await
            .unwrap();
        attempts == 1
    };
    eventually("the failure is on record", attempts).await;
    world
        .clock
        .advance(SignedDuration::try_from(Duration::from_secs(2)).unwrap());
    eventually("tried again", async || world.fired().len() == 3).await;
    world.stop.cancel();
}
