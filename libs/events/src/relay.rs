//! Carries the outbox into the streams, in order, one leader a service.

use std::{sync::Arc, time::Duration};

use opentelemetry::metrics::{Counter, Gauge};
use redis::aio::MultiplexedConnection;
use reflex_pg::{
    Database, DbError, Transaction,
    lease::{Hold, ShardWorker},
};
use reflex_runtime::{pace::Pace, telemetry};
use sqlx::{FromRow, PgConnection, Row as _, postgres::PgRow};
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::{Span, info, info_span, warn};
use uuid::Uuid;

use crate::{STREAM_SHARDS, redis_client::Redis, trace, trim};

/// Most facts a batch.
const BATCH: i64 = 1_000;
/// How long the relay sleeps unless it is woken: the safety net for what other replicas committed.
const POLL: Duration = Duration::from_millis(25);
/// Batches start so far apart when there is much to publish.
const GAP: Duration = Duration::from_millis(3);
/// How often an idle relay looks whether Redis still has what it was given, and trims the streams.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// Wakes the relay of the same process after a commit; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct RelayWake(Arc<Notify>);

impl RelayWake {
    /// Tells the relay that the outbox has something new.
    pub fn wake(&self) {
        self.0.notify_one();
    }
}

/// Publishes one service's outbox as the stream `{name}.v1`.
#[derive(Debug, Clone)]
pub struct Relay {
    database: Database,
    redis: Redis,
    source: &'static str,
    stream: &'static str,
    retention: Duration,
    wake: RelayWake,
    published: Counter<u64>,
    pending: Gauge<i64>,
}

/// One round of publishing failed; the outbox still has everything.
#[derive(Debug, thiserror::Error)]
enum RelayError {
    #[error("the database failed")]
    Database(#[from] DbError),
    #[error("redis failed")]
    Redis(#[from] redis::RedisError),
}

impl From<sqlx::Error> for RelayError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

/// Facts taken from the outbox; uncommitted, so that they are there again when they could not be published.
struct Batch {
    tx: Transaction,
    rows: Vec<Row>,
    /// Its number, once that is given.
    mark: Option<i64>,
}

impl Batch {
    /// Whether more facts are likely to wait.
    fn is_full(&self) -> bool {
        self.rows.len() as u64 == BATCH.unsigned_abs()
    }
}

struct Row {
    id: i64,
    tenant_id: String,
    event_id: Uuid,
    shard: i16,
    kind: String,
    subject: String,
    time: jiff_sqlx::Timestamp,
    traceparent: Option<String>,
    causation_id: Option<Uuid>,
    data: Vec<u8>,
    /// The batch's number, if it was given one.
    mark: Option<i64>,
}

/// By position: finding eleven columns by name takes longer than reading them.
impl FromRow<'_, PgRow> for Row {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get(0)?,
            tenant_id: row.try_get(1)?,
            event_id: row.try_get(2)?,
            shard: row.try_get(3)?,
            kind: row.try_get(4)?,
            subject: row.try_get(5)?,
            time: row.try_get(6)?,
            traceparent: row.try_get(7)?,
            causation_id: row.try_get(8)?,
            data: row.try_get(9)?,
            mark: row.try_get(10)?,
        })
    }
}

impl Row {
    /// Opens the span of the fact's way into the stream, if the fact is traced; its consumers continue there.
    fn open_span(&mut self) -> Option<Span> {
        let traceparent = self.traceparent.as_mut()?;
        // The attribute names are those of telemetry::TENANT and telemetry::EVENT_TYPE; the macro takes no constants.
        let span = info_span!("relay_event", otel.kind = "producer", tenant = self.tenant_id, event.type = self.kind);
        trace::pass_through(&span, traceparent);
        Some(span)
    }
}

impl Relay {
    /// Makes the relay of service `source`, whose facts go to `stream`; published facts are kept for `retention`.
    #[must_use]
    pub fn new(
        database: Database,
        redis: Redis,
        source: &'static str,
        stream: &'static str,
        retention: Duration,
        wake: RelayWake,
    ) -> Self {
        let meter = telemetry::meter();
        let published = meter.u64_counter("outbox.published").build();
        let pending = meter
            .i64_gauge("outbox.pending")
            .with_description("Facts that are not in the streams yet")
            .build();
        Self {
            database,
            redis,
            source,
            stream,
            retention,
            wake,
            published,
            pending,
        }
    }

    async fn lead(&self, hold: &Hold, stop: &CancellationToken) -> Result<(), RelayError> {
        let mut connection = self.redis.prompt().await?;
        let mut pace = Pace::new(GAP);
        let mut housekeeping_due = Instant::now();
        let mut ahead = None;
        while !stop.is_cancelled() {
            let (batch, their_mark) = self.next_batch(hold, &mut connection, ahead.take()).await?;
            let is_full = batch.is_full();
            ahead = self.publish(hold, &mut connection, batch, their_mark).await?;
            if housekeeping_due.elapsed() > HOUSEKEEPING {
                housekeeping_due = Instant::now();
                if self.keep_house(&mut connection).await? {
                    // What is published again is older than what was taken ahead.
                    ahead = None;
                }
            }
            if !is_full {
                self.wait(housekeeping_due + HOUSEKEEPING, stop).await?;
                pace.next().await;
            }
        }
        Ok(())
    }

    /// Waits until there is something to publish, or `limit` has passed.
    async fn wait(&self, limit: Instant, stop: &CancellationToken) -> Result<(), RelayError> {
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = self.wake.0.notified() => return Ok(()),
                () = tokio::time::sleep(POLL) => {}
            }
            // Most polls find nothing: they must not cost a transaction that holds the shard.
            let is_pending: bool = sqlx::query_scalar("select exists (select from outbox_pending)")
                .fetch_one(&self.database.worker)
                .await?;
            if is_pending || Instant::now() > limit {
                return Ok(());
            }
        }
    }

    /// Takes the oldest facts from the outbox unless they were taken ahead, and reads and watches the mark of Redis.
    async fn next_batch(
        &self,
        hold: &Hold,
        connection: &mut MultiplexedConnection,
        ahead: Option<Batch>,
    ) -> Result<(Batch, i64), RelayError> {
        let taken = async {
            let Some(mut batch) = ahead else {
                return self.take(hold, None).await;
            };
            batch.mark = Some(raise_mark(&mut batch.tx, self.stream).await?);
            Ok(batch)
        };
        let (batch, their_mark) = tokio::join!(taken, watch_mark(connection, self.redis.mark_key(self.stream)));
        Ok((batch?, their_mark?.unwrap_or(0)))
    }

    async fn take(&self, hold: &Hold, behind: Option<i64>) -> Result<Batch, RelayError> {
        let mut tx = self.database.begin_worker("relay_outbox", hold).await?;
        let rows = take(&mut tx, self.stream, behind).await?;
        let mark = rows.first().and_then(|row| row.mark);
        Ok(Batch { tx, rows, mark })
    }

    /// Publishes a batch. While Redis has a full one the next is taken, and returned: neither waits for the other.
    async fn publish(
        &self,
        hold: &Hold,
        connection: &mut MultiplexedConnection,
        batch: Batch,
        their_mark: i64,
    ) -> Result<Option<Batch>, RelayError> {
        let (Some(our_mark), Some(last)) = (batch.mark, batch.rows.last()) else {
            return Ok(None);
        };
        if their_mark < our_mark - 1 {
            drop(batch);
            self.refill(their_mark, our_mark - 1).await?;
            set_mark(connection, &self.redis.mark_key(self.stream), our_mark - 1).await?;
            return Ok(None);
        }
        let (is_full, end) = (batch.is_full(), last.id);
        let next = async {
            if !is_full {
                return Ok(None);
            }
            self.take(hold, Some(end)).await.map(Some)
        };
        let (is_published, next) = tokio::join!(self.add(connection, batch, our_mark), next);
        let next = next?.filter(|next| !next.rows.is_empty());
        Ok(if is_published? { next } else { None })
    }

    /// Adds a batch to the streams, then commits it as taken; says whether it did. Dying in between publishes it again,
    /// which the consumers' inboxes see.
    async fn add(
        &self,
        connection: &mut MultiplexedConnection,
        mut batch: Batch,
        mark: i64,
    ) -> Result<bool, RelayError> {
        // Open until the batch is committed.
        let _spans: Vec<Span> = batch.rows.iter_mut().filter_map(Row::open_span).collect();
        let mut pipeline = redis::pipe();
        pipeline.atomic();
        for row in &batch.rows {
            self.add_entry(&mut pipeline, row);
        }
        let mark_key = self.redis.mark_key(self.stream);
        pipeline.cmd("SET").arg(&mark_key).arg(mark).ignore();
        if pipeline.query_async::<Option<()>>(connection).await?.is_none() {
            // Emptied since the mark was read: nothing was published, and the next round sees the loss.
            return Ok(false);
        }
        batch.tx.commit().await?;
        self.published.add(batch.rows.len() as u64, &[]);
        Ok(true)
    }

    fn add_entry(&self, pipeline: &mut redis::Pipeline, row: &Row) {
        let command = pipeline
            .cmd("XADD")
            .arg(self.redis.stream_key(self.stream, row.shard))
            .arg("*")
            .arg(&["id", row.event_id.hyphenated().encode_lower(&mut Uuid::encode_buffer())])
            .arg(&["source", self.source])
            .arg(&["type", &row.kind])
            .arg(&["tenant", &row.tenant_id])
            .arg(&["subject", &row.subject])
            .arg(&["partitionkey", &format!("{}/{}", row.tenant_id, row.subject)])
            .arg("time")
            .arg(row.time.to_jiff().as_microsecond());
        if let Some(traceparent) = &row.traceparent {
            command.arg(&["traceparent", traceparent]);
        }
        if let Some(causation_id) = row.causation_id {
            command.arg("causationid").arg(causation_id.to_string());
        }
        command.arg("data").arg(&row.data).ignore();
    }

    /// Publishes the whole retention window again: Redis has lost entries, and nobody can say which were applied.
    async fn refill(&self, their_mark: i64, our_mark: i64) -> Result<(), RelayError> {
        let rows = sqlx::query(
            "insert into outbox_pending (id, tenant_id)
             select o.id, o.tenant_id from outbox o left join outbox_pending p using (id)
             where p.id is null and o.create_time > now() - $1 * interval '1 second' order by o.id",
        )
        .bind(self.retention.as_secs_f64())
        .execute(&self.database.worker)
        .await?
        .rows_affected();
        warn!(
            stream = self.stream,
            their_mark, our_mark, rows, "redis lost entries, the streams are refilled"
        );
        Ok(())
    }

    /// Notices a loss while nothing is published, trims what every group has, and forgets what is past retention; says
    /// whether something was lost.
    async fn keep_house(&self, connection: &mut MultiplexedConnection) -> Result<bool, RelayError> {
        let our_mark: Option<i64> = sqlx::query_scalar("select mark from relay_marks where stream = $1")
            .bind(self.stream)
            .fetch_optional(&self.database.worker)
            .await?;
        let key = self.redis.mark_key(self.stream);
        let their_mark: Option<i64> = redis::cmd("GET").arg(&key).query_async(connection).await?;
        let (our_mark, their_mark) = (our_mark.unwrap_or(0), their_mark.unwrap_or(0));
        let is_behind = their_mark < our_mark;
        if is_behind {
            self.refill(their_mark, our_mark).await?;
            set_mark(connection, &key, our_mark).await?;
        }
        let pending: i64 = sqlx::query_scalar("select count(*) from outbox_pending")
            .fetch_one(&self.database.worker)
            .await?;
        self.pending.record(pending, &[]);
        for shard in 0..STREAM_SHARDS {
            trim::at_slowest_group(connection, &self.redis.stream_key(self.stream, shard), self.retention).await?;
        }
        // By id, which grows with the time: looking for the time itself would read the whole window every second.
        sqlx::query(
            "delete from outbox where id = any (array(
                 select id from (select id, create_time from outbox order by id limit 5000) as oldest
                 where create_time < now() - $1 * interval '1 second'
                     and not exists (select from outbox_pending p where p.id = oldest.id)))",
        )
        .bind(self.retention.as_secs_f64())
        .execute(&self.database.worker)
        .await?;
        Ok(is_behind)
    }
}

impl ShardWorker for Relay {
    async fn work(&self, hold: Hold, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match self.lead(&hold, &stop).await {
                Ok(()) => return,
                Err(RelayError::Database(DbError::LeaseLost)) => {
                    info!(stream = self.stream, "another replica relays now");
                    return;
                }
                Err(error) => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    warn!(stream = self.stream, %error, cause, "relaying failed, will go on");
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = tokio::time::sleep(Duration::from_millis(250)) => {}
                    }
                }
            }
        }
    }
}

/// Takes the oldest facts and numbers the batch unless it is empty; the number comes with each row. Those behind a place,
/// which are taken while another batch is on its way, get their number when that one is through.
async fn take(tx: &mut PgConnection, stream: &str, behind: Option<i64>) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as(
        "with taken as (
             delete from outbox_pending
             where id = any (array(select id from outbox_pending where id > $3 order by id limit $1)) returning id
         ), marked as (
             insert into relay_marks as m select $2, 1 where $4 and exists (select from taken)
             on conflict (stream) do update set mark = m.mark + 1
             returning mark
         )
         select id, tenant_id, event_id, shard, kind, subject, time, traceparent, causation_id, data,
             (select mark from marked) as mark
         from taken join outbox using (id) order by id",
    )
    .bind(BATCH)
    .bind(stream)
    .bind(behind.unwrap_or(0))
    .bind(behind.is_none())
    .fetch_all(tx)
    .await
}

/// Numbers a batch.
async fn raise_mark(tx: &mut PgConnection, stream: &str) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "insert into relay_marks as m values ($1, 1) on conflict (stream) do update set mark = m.mark + 1 returning mark",
    )
    .bind(stream)
    .fetch_one(tx)
    .await
}

/// Reads the mark and watches it: a transaction of this connection that follows fails if the mark changed meanwhile.
async fn watch_mark(connection: &mut MultiplexedConnection, key: String) -> redis::RedisResult<Option<i64>> {
    let mut commands = redis::pipe();
    // A round that published nothing left its watch behind.
    commands.cmd("UNWATCH").ignore();
    commands.cmd("WATCH").arg(&key).ignore();
    commands.cmd("GET").arg(&key);
    let (mark,) = commands.query_async(connection).await?;
    Ok(mark)
}

async fn set_mark(connection: &mut MultiplexedConnection, key: &str, mark: i64) -> redis::RedisResult<()> {
    redis::cmd("SET").arg(key).arg(mark).query_async(connection).await
}
