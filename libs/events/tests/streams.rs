//! Facts through a real PostgreSQL and Redis: in order, once, and none lost when Redis loses everything.

#![cfg(test)]

use std::{sync::Arc, time::Duration};

use reflex_events::{
    Consumer, Envelope, Handler, HandlerError, NewEvent, Redis, Relay, RelayWake, STREAM_SHARDS, outbox,
};
use reflex_pg::{Database, DatabaseConfig, lease::Shards};
use reflex_runtime::ids::{IdSource as _, SystemIds};
use reflex_tenancy::{TenantId, TenantSet};
use reflex_testing::{FixedClock, TestDatabase, TestRedis, eventually, fixture_time};
use sqlx::{Executor as _, PgConnection, Row as _};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const STREAM: &str = "test.v1";
const KIND: &str = "reflex.test.v1.Happened";
const IGNORED: &str = "reflex.test.v1.Ignored";
const POISON: &str = "reflex.test.v1.Poison";

/// Writes each event as an effect; refuses poison.
struct Effects;

impl Handler for Effects {
    type After = ();

    fn wants(&self, kind: &str) -> bool {
        kind != IGNORED
    }

    async fn apply(&self, tx: &mut PgConnection, events: &[Envelope]) -> Result<(), HandlerError> {
        for event in events {
            if event.kind == POISON {
                return Err(HandlerError::Rejected("cannot be applied".into()));
            }
            sqlx::query("insert into effects (event_id, subject, data) values ($1, $2, $3)")
                .bind(event.id)
                .bind(&event.subject)
                .bind(&event.data)
                .execute(&mut *tx)
                .await?;
        }
        Ok(())
    }

    fn applied(&self, (): ()) {}
}

struct World {
    db: Database,
    owner: sqlx::PgPool,
    redis: Redis,
    raw: redis::aio::MultiplexedConnection,
    wake: RelayWake,
    stop: CancellationToken,
    prefix: String,
    _homes: (TestDatabase, TestRedis),
}

fn tenant() -> TenantId {
    "a".parse().unwrap()
}

impl World {
    async fn start() -> Self {
        let test = TestDatabase::create(&[&reflex_pg::migrate::MIGRATIONS, &reflex_events::MIGRATIONS]).await;
        let redis = TestRedis::create().await;
        let config = DatabaseConfig {
            app_url: test.app_url().into(),
            worker_url: test.worker_url().into(),
            owner_url: test.owner_url().into(),
            max_connections: 8,
        };
        let owner = sqlx::PgPool::connect(&test.owner_url()).await.unwrap();
        owner
            .execute(
                "create table effects (place bigint generated always as identity, event_id uuid, subject text, data bytea);
                 grant select, insert on effects to reflex_app",
            )
            .await
            .unwrap();
        let client = redis::Client::open(redis.url()).unwrap();
        let world = Self {
            db: Database::connect(&config).unwrap(),
            owner,
            redis: Redis::new(redis.url(), redis.prefix()).unwrap(),
            raw: client.get_multiplexed_async_connection().await.unwrap(),
            wake: RelayWake::default(),
            stop: CancellationToken::new(),
            prefix: redis.prefix().to_owned(),
            _homes: (test, redis),
        };
        let relay = Relay::new(
            world.db.clone(),
            world.redis.clone(),
            "test",
            STREAM,
            Duration::from_hours(1),
            world.wake.clone(),
        );
        world.spawn("relay", 1, relay);
        world
    }

    #[expect(clippy::disallowed_methods, reason = "a replica of the test")]
    fn spawn<W: reflex_pg::lease::ShardWorker>(&self, group: &'static str, count: i16, worker: W) {
        let shards = Shards::new(self.db.worker.clone(), SystemIds.next(), group, count, worker);
        drop(tokio::spawn(shards.run(self.stop.clone())));
    }

    fn consume(&self) {
        let clock = Arc::new(FixedClock::new(fixture_time()));
        let consumer = Consumer::new(self.db.clone(), self.redis.clone(), STREAM, "effects", Effects, clock);
        self.spawn("consume-test", STREAM_SHARDS, consumer);
    }

    /// Tells facts about a subject, one transaction each.
    async fn tell(&self, subject: &str, kind: &'static str, numbers: std::ops::Range<u32>) -> Vec<Uuid> {
        let mut ids = Vec::new();
        for number in numbers {
            let event = NewEvent {
                tenant: tenant(),
                id: SystemIds.next(),
                kind,
                subject: subject.into(),
                time: fixture_time(),
                traceparent: None,
                causation_id: None,
                data: number.to_be_bytes().to_vec(),
            };
            ids.push(event.id);
            let mut tx = self.db.begin("tell", &TenantSet::one(&tenant())).await.unwrap();
            outbox::push(&mut tx, &[event]).await.unwrap();
            tx.commit().await.unwrap();
        }
        self.wake.wake();
        ids
    }

    async fn effects(&self) -> Vec<(Uuid, String, Vec<u8>)> {
        let rows = sqlx::query("select event_id, subject, data from effects order by place")
            .fetch_all(&self.owner)
            .await;
        rows.unwrap()
            .iter()
            .map(|row| (row.get(0), row.get(1), row.get(2)))
            .collect()
    }

    async fn until_effects(&self, wanted: usize) {
        eventually(&format!("{wanted} effects"), async || {
            self.effects().await.len() >= wanted
        })
        .await;
        assert_eq!(self.effects().await.len(), wanted, "none twice");
    }

    async fn pending(&self) -> i64 {
        sqlx::query_scalar("select count(*) from outbox_pending")
            .fetch_one(&self.owner)
            .await
            .unwrap()
    }

    async fn until_published(&self) {
        eventually("the outbox is empty", async || self.pending().await == 0).await;
    }

    /// Deletes every key of the test: what an emptied Redis looks like to us.
    async fn wipe_redis(&mut self) {
        let keys: Vec<String> = redis::cmd("KEYS")
            .arg(format!("{}*", self.prefix))
            .query_async(&mut self.raw)
            .await
            .unwrap();
        redis::cmd("DEL")
            .arg(keys)
            .query_async::<()>(&mut self.raw)
            .await
            .unwrap();
    }

    async fn until_all_acknowledged(&self) {
        eventually("nothing waits for acknowledgement", async || {
            let mut waiting = 0;
            for shard in 0..STREAM_SHARDS {
                let key = self.redis.stream_key(STREAM, shard);
                let pending: redis::streams::StreamPendingReply = redis::cmd("XPENDING")
                    .arg(key)
                    .arg("effects")
                    .query_async(&mut self.raw.clone())
                    .await
                    .unwrap();
                waiting += pending.count();
            }
            waiting == 0
        })
        .await;
    }

    async fn stop(self) {
        self.stop.cancel();
        self.owner.close().await;
    }
}

#[tokio::test]
async fn facts_arrive_once_and_in_order_per_subject() {
    let world = World::start().await;
    world.consume();
    for round in 0..5 {
        for subject in ["leads/1", "leads/2", "leads/3"] {
            world.tell(subject, KIND, round * 10..round * 10 + 10).await;
        }
    }
    world.until_effects(150).await;
    for subject in ["leads/1", "leads/2", "leads/3"] {
        let effects = world.effects().await;
        let numbers: Vec<u32> = effects
            .iter()
            .filter(|effect| effect.1 == subject)
            .map(|effect| u32::from_be_bytes(effect.2.as_slice().try_into().unwrap()))
            .collect();
        assert_eq!(numbers, (0..50).collect::<Vec<_>>());
    }
    world.stop().await;
}

#[tokio::test]
async fn an_emptied_redis_loses_and_doubles_nothing() {
    let mut world = World::start().await;
    world.tell("leads/1", KIND, 0..20).await;
    world.until_published().await;
    // Published, read by nobody, and gone.
    world.wipe_redis().await;
    world.consume();
    world.until_effects(20).await;
    // Applied, gone again, and more to tell.
    world.wipe_redis().await;
    world.tell("leads/1", KIND, 20..40).await;
    world.until_effects(40).await;
    let numbers: Vec<Vec<u8>> = world.effects().await.into_iter().map(|effect| effect.2).collect();
    assert_eq!(
        numbers,
        (0..40_u32)
            .map(|number| number.to_be_bytes().to_vec())
            .collect::<Vec<_>>()
    );
    world.stop().await;
}

#[tokio::test]
async fn a_redis_emptied_in_the_middle_of_a_batch_loses_nothing() {
    let mut world = World::start().await;
    world.tell("leads/1", KIND, 0..20).await;
    world.until_published().await;
    // Holds the relay between reading the mark of Redis and publishing the next batch.
    let mut held = world.owner.begin().await.unwrap();
    held.execute("select from relay_marks for update").await.unwrap();
    world.tell("leads/1", KIND, 20..21).await;
    eventually("the relay waits", async || {
        let waits = "select exists (select from pg_stat_activity
                     where datname = current_database() and wait_event_type = 'Lock')";
        sqlx::query_scalar::<_, bool>(waits)
            .fetch_one(&mut *held)
            .await
            .unwrap()
    })
    .await;
    world.wipe_redis().await;
    held.rollback().await.unwrap();
    world.until_published().await;
    world.consume();
    world.until_effects(21).await;
    world.stop().await;
}

#[tokio::test]
async fn what_is_published_twice_is_applied_once() {
    let world = World::start().await;
    world.consume();
    world.tell("leads/1", KIND, 0..30).await;
    world.until_effects(30).await;
    // As after a death between the stream and the commit: everything is published again.
    sqlx::query("insert into outbox_pending (id, tenant_id) select id, tenant_id from outbox order by id")
        .execute(&world.owner)
        .await
        .unwrap();
    world.until_published().await;
    world.tell("leads/1", KIND, 30..31).await;
    world.until_effects(31).await;
    world.stop().await;
}

#[tokio::test]
async fn poison_is_put_aside_and_the_stream_goes_on() {
    let mut world = World::start().await;
    world.tell("leads/1", KIND, 0..5).await;
    let poison = world.tell("leads/1", POISON, 5..6).await;
    world.tell("leads/1", KIND, 6..10).await;
    // Not even an envelope: whoever wrote it, it must not stop the shard.
    for shard in 0..STREAM_SHARDS {
        redis::cmd("XADD")
            .arg(world.redis.stream_key(STREAM, shard))
            .arg("*")
            .arg("nonsense")
            .arg("1")
            .query_async::<()>(&mut world.raw)
            .await
            .unwrap();
    }
    world.consume();
    world.until_effects(9).await;
    let letters: Vec<(Uuid, String, i32)> = sqlx::query_as("select event_id, reason, attempts from dead_letters")
        .fetch_all(&world.owner)
        .await
        .unwrap();
    assert_eq!(letters, [(poison[0], "cannot be applied".to_owned(), 3)]);
    world.stop().await;
}

#[tokio::test]
async fn kinds_nobody_wants_are_passed_over() {
    let world = World::start().await;
    world.consume();
    world.tell("leads/1", IGNORED, 0..3).await;
    let wanted = world.tell("leads/1", KIND, 3..4).await;
    world.until_effects(1).await;
    assert_eq!(world.effects().await[0].0, wanted[0]);
    world.until_all_acknowledged().await;
    let remembered: i64 = sqlx::query_scalar("select count(*) from inbox")
        .fetch_one(&world.owner)
        .await
        .unwrap();
    assert_eq!(remembered, 1, "what is passed over leaves nothing behind");
    world.stop().await;
}

#[tokio::test]
async fn streams_are_trimmed_at_the_slowest_reader() {
    let mut world = World::start().await;
    // A second group that has read nothing yet.
    for shard in 0..STREAM_SHARDS {
        redis::cmd("XGROUP")
            .arg(&[
                "CREATE",
                &world.redis.stream_key(STREAM, shard),
                "slow",
                "0",
                "MKSTREAM",
            ])
            .query_async::<()>(&mut world.raw)
            .await
            .unwrap();
    }
    world.consume();
    world.tell("leads/1", KIND, 0..300).await;
    world.until_effects(300).await;
    let length = async |raw: &mut redis::aio::MultiplexedConnection, redis: &Redis| -> usize {
        let mut sum = 0;
        for shard in 0..STREAM_SHARDS {
            let length: usize = redis::cmd("XLEN")
                .arg(redis.stream_key(STREAM, shard))
                .query_async(raw)
                .await
                .unwrap();
            sum += length;
        }
        sum
    };
    // The relay keeps house each second, and has had its chance once the outbox is empty and more was told.
    world.tell("leads/1", KIND, 300..301).await;
    world.until_effects(301).await;
    assert_eq!(
        length(&mut world.raw, &world.redis).await,
        301,
        "nothing unread is trimmed"
    );
    for shard in 0..STREAM_SHARDS {
        redis::cmd("XGROUP")
            .arg(&["SETID", &world.redis.stream_key(STREAM, shard), "slow", "$"])
            .query_async::<()>(&mut world.raw)
            .await
            .unwrap();
    }
    let redis = world.redis.clone();
    let mut raw = world.raw.clone();
    eventually("the streams are trimmed", async || {
        length(&mut raw, &redis).await <= 200
    })
    .await;
    world.stop().await;
}
