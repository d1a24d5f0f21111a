//! Fenced shards: one worker a shard over any number of replicas, taken over at once from a dead one and after its lease
//! from a paused one.
//!
//! The fence in `shard_leases` is the authority: every transaction of a worker checks it. The advisory lock that a process
//! holds on its own id only says early that it is gone.

use std::{collections::HashMap, time::Duration};

use opentelemetry::{KeyValue, metrics::Counter};
use reflex_runtime::telemetry;
use sqlx::{Connection, PgConnection, PgPool};
use tokio::{
    task::JoinHandle,
    time::{Instant, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};
use uuid::Uuid;

use crate::DbError;

/// How long a lease lasts without renewal: a paused worker's shards move after it.
const LEASE: Duration = Duration::from_secs(6);
/// How often leases are renewed and free shards looked for.
const TICK: Duration = Duration::from_millis(500);
/// A worker whose lease could not be renewed for so long stops by itself, well before others may take over.
const GIVE_UP: Duration = Duration::from_secs(4);

/// Proof of holding a shard, checked by `begin_held`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    shard: String,
    fence: i64,
}

impl Hold {
    /// Returns the shard's name.
    #[must_use]
    pub fn shard(&self) -> &str {
        &self.shard
    }

    /// Returns the fence, which grows with each owner.
    #[must_use]
    pub fn fence(&self) -> i64 {
        self.fence
    }

    /// Returns the shard's number, the part of its name after the slash.
    #[must_use]
    pub fn index(&self) -> i16 {
        self.shard
            .rsplit('/')
            .next()
            .and_then(|number| number.parse().ok())
            .unwrap_or_default()
    }
}

/// Runs one worker per shard that this process holds.
pub trait ShardWorker: Send + Sync + 'static {
    /// Works on a shard until `stop`; returning early gives the shard back.
    fn work(&self, hold: Hold, stop: CancellationToken) -> impl Future<Output = ()> + Send;
}

/// Keeps this process's part of a group of shards and runs their workers.
#[derive(Debug)]
pub struct Shards<W> {
    pool: PgPool,
    owner: Uuid,
    group: &'static str,
    count: i16,
    worker: std::sync::Arc<W>,
    moves: Counter<u64>,
}

struct Running {
    hold: Hold,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl<W: ShardWorker> Shards<W> {
    /// Makes the keeper of `count` shards named `{group}/{number}`; `owner` is this process's own id.
    ///
    /// `group` has only lower-case letters and dashes, as it becomes part of SQL text.
    pub fn new(pool: PgPool, owner: Uuid, group: &'static str, count: i16, worker: W) -> Self {
        debug_assert!(group.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'));
        let moves = telemetry::meter().u64_counter("shard.moves").build();
        Self {
            pool,
            owner,
            group,
            count,
            worker: std::sync::Arc::new(worker),
            moves,
        }
    }

    /// Runs until `stop`, then lets workers finish and gives their shards back.
    pub async fn run(self, stop: CancellationToken) {
        let mut running: HashMap<String, Running> = HashMap::new();
        let mut alive: Option<PgConnection> = None;
        let mut renewed = Instant::now();
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = ticks.tick() => {}
            }
            match self.tick(&mut alive, &mut running).await {
                Ok(()) => renewed = Instant::now(),
                Err(error) => {
                    debug!(group = self.group, %error, "leases could not be renewed");
                    alive = None;
                    if renewed.elapsed() > GIVE_UP && !running.is_empty() {
                        warn!(
                            group = self.group,
                            "leases could not be renewed in time, shards are left to others"
                        );
                        for (_, shard) in running.drain() {
                            shard.stop.cancel();
                        }
                    }
                }
            }
        }
        for (_, shard) in running {
            self.give_back(shard).await;
        }
        if let Err(error) = self.leave().await {
            debug!(group = self.group, %error, "could not leave the group, its entry will expire");
        }
    }

    async fn tick(
        &self,
        alive: &mut Option<PgConnection>,
        running: &mut HashMap<String, Running>,
    ) -> Result<(), DbError> {
        let connection = self.show_alive(alive).await?;
        let members = self.join(connection).await?;
        self.renew(connection, running).await?;

        let part = usize::try_from(self.count).unwrap_or_default().div_ceil(members.max(1));
        while running.len() > part {
            let Some(name) = running.keys().max().cloned() else {
                break;
            };
            if let Some(shard) = running.remove(&name) {
                info!(shard = name, "shard is given to another replica");
                self.give_back(shard).await;
            }
        }
        if running.len() < part {
            self.acquire(part - running.len(), running).await?;
        }
        Ok(())
    }

    /// Holds the advisory lock of our own id on a connection of its own, as long as the process lives. Shared, because
    /// every group of shards of the process holds it.
    ///
    /// Leases are renewed over this connection, too, without waiting for the disk: a crash of PostgreSQL that undoes a
    /// renewal ends every transaction as well. A shard is taken durably, so that no fence is ever given twice.
    async fn show_alive<'a>(&self, alive: &'a mut Option<PgConnection>) -> Result<&'a mut PgConnection, DbError> {
        if alive.is_none() {
            let options = (*self.pool.connect_options()).clone();
            let mut connection = PgConnection::connect_with(&options.options([("synchronous_commit", "off")])).await?;
            sqlx::query("select pg_advisory_lock_shared(hashtextextended($1::text, 0))")
                .bind(self.owner.to_string())
                .execute(&mut connection)
                .await?;
            *alive = Some(connection);
        }
        Ok(alive.as_mut().expect("it was just made"))
    }

    /// Renews our membership and returns how many members the group has; forgets those whose process is gone.
    async fn join(&self, connection: &mut PgConnection) -> Result<usize, DbError> {
        let members: i64 = sqlx::query_scalar(
            "with gone as (
                 delete from shard_members where shard_group = $1 and owner <> $2
                     and (expire_time < now() or is_gone(owner))
             ), me as (
                 insert into shard_members values ($1, $2, now() + $3 * interval '1 second')
                 on conflict (shard_group, owner) do update set expire_time = excluded.expire_time
             )
             select count(*) from shard_members
             where shard_group = $1 and owner <> $2 and expire_time >= now() and not is_gone(owner)",
        )
        .bind(self.group)
        .bind(self.owner)
        .bind(LEASE.as_secs_f64())
        .fetch_one(connection)
        .await?;
        Ok(usize::try_from(members).unwrap_or_default() + 1)
    }

    async fn leave(&self) -> Result<(), DbError> {
        sqlx::query("delete from shard_members where shard_group = $1 and owner = $2")
            .bind(self.group)
            .bind(self.owner)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Renews what runs; stops the workers of shards that others took, and forgets workers that ended.
    async fn renew(
        &self,
        connection: &mut PgConnection,
        running: &mut HashMap<String, Running>,
    ) -> Result<(), DbError> {
        running.retain(|name, shard| {
            if shard.task.is_finished() {
                debug!(shard = name, "the shard's worker ended");
            }
            !shard.task.is_finished()
        });
        if running.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = running.keys().map(String::as_str).collect();
        let fences: Vec<i64> = running.values().map(|shard| shard.hold.fence).collect();
        let kept: Vec<String> = sqlx::query_scalar(
            "update shard_leases l set expire_time = now() + $4 * interval '1 second'
             from unnest($1::text[], $2::bigint[]) as held (shard, fence)
             where l.shard = held.shard and l.fence = held.fence and l.owner = $3
             returning l.shard",
        )
        .bind(names)
        .bind(fences)
        .bind(self.owner)
        .bind(LEASE.as_secs_f64())
        .fetch_all(&mut *connection)
        .await?;
        running.retain(|name, shard| {
            let keep = kept.contains(name);
            if !keep {
                warn!(shard = name, "the shard was taken over by another replica");
                shard.stop.cancel();
            }
            keep
        });
        Ok(())
    }

    /// Takes up to `wanted` shards that are free, expired or held by a process that is gone.
    async fn acquire(&self, wanted: usize, running: &mut HashMap<String, Running>) -> Result<(), DbError> {
        let candidates: Vec<String> = (0..self.count)
            .map(|number| format!("{}/{number}", self.group))
            .filter(|name| !running.contains_key(name))
            .collect();
        let free: Vec<String> = sqlx::query_scalar(
            "select wanted.shard from unnest($1::text[]) as wanted (shard) left join shard_leases l using (shard)
             where l.shard is null or l.expire_time < now() or l.owner = $2 or is_gone(l.owner)",
        )
        .bind(&candidates)
        .bind(self.owner)
        .fetch_all(&self.pool)
        .await?;
        for name in free.into_iter().take(wanted) {
            let fence: Option<i64> = sqlx::query_scalar(
                "insert into shard_leases as l values ($1, $2, 1, now() + $3 * interval '1 second')
                 on conflict (shard) do update
                     set owner = excluded.owner, fence = l.fence + 1, expire_time = excluded.expire_time
                     where l.expire_time < now() or l.owner = excluded.owner or is_gone(l.owner)
                 returning fence",
            )
            .bind(&name)
            .bind(self.owner)
            .bind(LEASE.as_secs_f64())
            .fetch_optional(&self.pool)
            .await?;
            let Some(fence) = fence else { continue };
            info!(shard = name, fence, "shard taken");
            self.moves.add(1, &[KeyValue::new("shard.group", self.group)]);
            running.insert(name.clone(), self.start(Hold { shard: name, fence }));
        }
        Ok(())
    }

    fn start(&self, hold: Hold) -> Running {
        let stop = CancellationToken::new();
        let worker = std::sync::Arc::clone(&self.worker);
        let (its_hold, its_stop) = (hold.clone(), stop.clone());
        #[expect(
            clippy::disallowed_methods,
            reason = "the keeper owns its workers: it stops and awaits each itself"
        )]
        let task = tokio::spawn(async move { worker.work(its_hold, its_stop).await });
        Running { hold, stop, task }
    }

    async fn give_back(&self, shard: Running) {
        shard.stop.cancel();
        if shard.task.await.is_err() {
            warn!(shard = shard.hold.shard, "the shard's worker panicked");
        }
        let released = sqlx::query("update shard_leases set expire_time = '-infinity' where shard = $1 and fence = $2")
            .bind(&shard.hold.shard)
            .bind(shard.hold.fence)
            .execute(&self.pool)
            .await;
        if let Err(error) = released {
            debug!(shard = shard.hold.shard, %error, "the shard could not be given back, its lease will expire");
        }
    }
}
