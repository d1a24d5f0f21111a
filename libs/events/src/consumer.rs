//! Applies the events of a stream, in order per subject, each once.
//!
//! A shard has one worker at a time, fenced by its lease. The group has one consumer name a shard, so whoever takes the
//! shard over finds what its predecessor had not acknowledged under the same name, before anything new. What the shards
//! of one process read is applied together, in one transaction that holds them all.

use std::{
    collections::HashSet,
    mem,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use opentelemetry::{
    KeyValue,
    metrics::{Counter, Histogram},
};
use redis::{
    AsyncCommands, RedisResult,
    aio::MultiplexedConnection,
    streams::{StreamReadOptions, StreamReadReply},
};
use reflex_pg::{
    Database, DbError,
    lease::{Hold, ShardWorker},
};
use reflex_runtime::{clock::SharedClock, pace::Pace, telemetry};
use reflex_tenancy::TenantSet;
use sqlx::PgConnection;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tracing::{Span, error, info, info_span, warn};
use uuid::Uuid;

use crate::{Envelope, dead_letters, redis_client::Redis, trace};

/// Most events a batch.
const BATCH: usize = 500;
/// How long a read waits for something new, in milliseconds.
const BLOCK_MILLISECONDS: usize = 1_000;
/// Transactions that apply events start so far apart when there is much to apply.
const GAP: Duration = Duration::from_millis(3);
/// How often a handler may refuse an event before it becomes a dead letter.
const ATTEMPTS: i32 = 3;
/// The one consumer of a shard in its group.
const CONSUMER: &str = "shard";

/// Why an event was not applied.
#[derive(Debug, thiserror::Error)]
pub enum HandlerError {
    /// The database failed; nothing is wrong with the event.
    #[error(transparent)]
    Database(#[from] DbError),
    /// The event can never be applied as it is; the text must be free of personal data.
    #[error("{0}")]
    Rejected(String),
}

impl HandlerError {
    /// Returns whether the same event may succeed later without anybody changing it.
    fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Database(DbError::Unavailable(_) | DbError::Conflict(_) | DbError::LeaseLost)
        )
    }
}

impl From<sqlx::Error> for HandlerError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

/// What a service does with the events it listens to.
pub trait Handler: Send + Sync + 'static {
    /// What is left to do once the effects are committed.
    type After: Send;

    /// Returns whether events of a kind mean anything here; others are passed over.
    fn wants(&self, kind: &str) -> bool;

    /// Returns whether an event means anything here, where that is a matter of more than its kind.
    fn takes(&self, event: &Envelope) -> bool {
        self.wants(&event.kind)
    }

    /// Applies events, those of a shard in stream order, in the transaction that also remembers them as applied. Called
    /// again with single events when a batch failed.
    fn apply(
        &self,
        tx: &mut PgConnection,
        events: &[Envelope],
    ) -> impl Future<Output = Result<Self::After, HandlerError>> + Send;

    /// Called after a batch is committed, for example to wake a loop; may be missed when the process dies.
    fn applied(&self, after: Self::After);
}

impl<H: Handler> Handler for Arc<H> {
    type After = H::After;

    fn wants(&self, kind: &str) -> bool {
        (**self).wants(kind)
    }

    fn takes(&self, event: &Envelope) -> bool {
        (**self).takes(event)
    }

    async fn apply(&self, tx: &mut PgConnection, events: &[Envelope]) -> Result<H::After, HandlerError> {
        (**self).apply(tx, events).await
    }

    fn applied(&self, after: H::After) {
        (**self).applied(after);
    }
}

/// Reads one stream's shards as a consumer group and hands their events to a handler.
pub struct Consumer<H> {
    database: Database,
    redis: Redis,
    stream: &'static str,
    group: &'static str,
    handler: H,
    clock: SharedClock,
    read: Mutex<Vec<Batch>>,
    turn: tokio::sync::Mutex<Pace>,
    lag: Histogram<f64>,
    outcomes: Counter<u64>,
}

/// Events of one shard that wait to be applied, and who waits for that.
struct Batch {
    hold: Hold,
    events: Vec<Envelope>,
    answer: oneshot::Sender<Result<(), DbError>>,
}

/// An entry as read: its id in the stream, and the envelope if it is one.
type Entry = (String, Result<Envelope, String>);

#[derive(Debug, thiserror::Error)]
enum ConsumeError {
    #[error("the database failed")]
    Database(#[from] DbError),
    #[error("redis failed")]
    Redis(#[from] redis::RedisError),
}

impl<H: Handler> Consumer<H> {
    /// Makes the consumer `group` (the consuming service) of `stream`.
    pub fn new(
        database: Database,
        redis: Redis,
        stream: &'static str,
        group: &'static str,
        handler: H,
        clock: SharedClock,
    ) -> Self {
        let lag = telemetry::meter().f64_histogram("event.lag").with_unit("s").build();
        let outcomes = telemetry::meter().u64_counter("event.handled").build();
        Self {
            database,
            redis,
            stream,
            group,
            handler,
            clock,
            read: Mutex::default(),
            turn: tokio::sync::Mutex::new(Pace::new(GAP)),
            lag,
            outcomes,
        }
    }

    async fn consume(&self, hold: &Hold, stop: &CancellationToken) -> Result<(), ConsumeError> {
        let key = self.redis.stream_key(self.stream, hold.index());
        let mut connection = self.redis.blocking().await?;
        self.create_group(&mut connection, &key).await?;
        // What the predecessor read without acknowledging comes first.
        let mut from = "0".to_owned();
        while !stop.is_cancelled() {
            let entries = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                entries = self.read(&mut connection, &key, &from, hold.index()) => entries?,
            };
            match entries.last() {
                Some((last, _)) if from != ">" => from.clone_from(last),
                None if from != ">" => ">".clone_into(&mut from),
                _ => {}
            }
            if entries.is_empty() {
                continue;
            }
            self.apply_entries(hold, &entries).await?;
            let ids: Vec<&str> = entries.iter().map(|(id, _)| id.as_str()).collect();
            connection.xack::<_, _, _, ()>(&key, self.group, &ids).await?;
        }
        Ok(())
    }

    /// Starts the group at the beginning of the stream, so that nothing told before it existed is missed.
    async fn create_group(&self, connection: &mut MultiplexedConnection, key: &str) -> RedisResult<()> {
        match connection
            .xgroup_create_mkstream::<_, _, _, ()>(key, self.group, "0")
            .await
        {
            Err(error) if error.code() == Some("BUSYGROUP") => Ok(()),
            outcome => outcome,
        }
    }

    async fn read(
        &self,
        connection: &mut MultiplexedConnection,
        key: &str,
        from: &str,
        shard: i16,
    ) -> RedisResult<Vec<Entry>> {
        let options = StreamReadOptions::default()
            .group(self.group, CONSUMER)
            .count(BATCH)
            .block(BLOCK_MILLISECONDS);
        let reply: Option<StreamReadReply> = connection.xread_options(&[key], &[from], &options).await?;
        let entries = reply
            .map(|reply| reply.keys)
            .unwrap_or_default()
            .into_iter()
            .flat_map(|stream| stream.ids);
        let read = |entry: redis::streams::StreamId| {
            let fields = entry.map.into_iter().filter_map(|(name, value)| {
                redis::from_redis_value::<Vec<u8>>(value)
                    .ok()
                    .map(|value| (name, value))
            });
            let envelope = Envelope::from_entry(self.stream, shard, fields.collect());
            (entry.id, envelope.map_err(|error| error.to_string()))
        };
        Ok(entries.map(read).collect())
    }

    async fn apply_entries(&self, hold: &Hold, entries: &[Entry]) -> Result<(), DbError> {
        let mut events = Vec::with_capacity(entries.len());
        for (id, entry) in entries {
            match entry {
                Ok(event) if self.handler.takes(event) => events.push(event.clone()),
                Ok(_) => self.count("passed_over", 1),
                // Nothing in it says whose it is: there is no tenant to file it under, so it is only counted and told.
                Err(reason) => {
                    error!(
                        stream = self.stream,
                        entry = id,
                        reason,
                        "an entry is no event and was passed over"
                    );
                    self.count("undecodable", 1);
                }
            }
        }
        if events.is_empty() {
            return Ok(());
        }
        // Open until the batch is committed; what the handler does for an event hangs below the event's own span.
        let _spans: Vec<Span> = events.iter_mut().filter_map(open_span).collect();
        let times: Vec<Timestamp> = events.iter().map(|event| event.time).collect();
        self.apply_together(hold, events).await?;
        let now = self.clock.now();
        for time in &times {
            let lag = now.duration_since(*time).as_secs_f64().max(0.0);
            self.lag.record(lag, &[KeyValue::new("stream", self.stream)]);
        }
        self.count("applied", times.len() as u64);
        Ok(())
    }

    /// Applies a shard's events together with what other shards of this process have read meanwhile: whoever has the turn
    /// works off what all of them brought.
    async fn apply_together(&self, hold: &Hold, events: Vec<Envelope>) -> Result<(), DbError> {
        let (answer, answered) = oneshot::channel();
        let hold = hold.clone();
        self.waiting().push(Batch { hold, events, answer });
        let mut pace = self.turn.lock().await;
        if !self.waiting().is_empty() {
            pace.next().await;
            let batches = mem::take(&mut *self.waiting());
            self.work_off(batches).await;
        }
        drop(pace);
        // Who worked our batch off was stopped amidst: it is read again.
        answered
            .await
            .unwrap_or(Err(DbError::Unavailable(sqlx::Error::WorkerCrashed)))
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Vec<Batch>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn work_off(&self, batches: Vec<Batch>) {
        if batches.len() > 1 {
            let holds: Vec<&Hold> = batches.iter().map(|batch| &batch.hold).collect();
            let events: Vec<Envelope> = batches.iter().flat_map(|batch| &batch.events).cloned().collect();
            if self.apply_batch(&holds, &events).await.is_ok() {
                for batch in batches {
                    // A worker that was stopped meanwhile does not need its answer.
                    drop(batch.answer.send(Ok(())));
                }
                return;
            }
        }
        // Alone, or not all of them could be applied: each shard's batch stands for itself.
        for batch in batches {
            drop(
                batch
                    .answer
                    .send(self.apply_one_shard(&batch.hold, &batch.events).await),
            );
        }
    }

    async fn apply_one_shard(&self, hold: &Hold, events: &[Envelope]) -> Result<(), DbError> {
        match self.apply_batch(&[hold], events).await {
            Ok(()) => Ok(()),
            Err(error) if error.is_transient() => Err(as_database_error(error)),
            Err(error) => {
                warn!(stream = self.stream, %error, "a batch was refused, its events are applied one by one");
                for event in events {
                    self.apply_single(hold, event).await?;
                }
                Ok(())
            }
        }
    }

    async fn apply_batch(&self, holds: &[&Hold], events: &[Envelope]) -> Result<(), HandlerError> {
        let tenants: TenantSet = events.iter().map(|event| event.tenant.clone()).collect();
        let mut tx = self.database.begin_held("apply_events", &tenants, holds).await?;
        let new = remember(&mut tx, events).await?;
        // A duplicate within one batch is told apart here, as the inbox row is the same.
        let mut seen = HashSet::new();
        let fresh: Vec<Envelope> = events
            .iter()
            .filter(|event| new.contains(&event.id) && seen.insert(event.id))
            .cloned()
            .collect();
        let after = match fresh.as_slice() {
            [] => None,
            fresh => Some(self.handler.apply(&mut tx, fresh).await?),
        };
        tx.commit().await?;
        if let Some(after) = after {
            self.handler.applied(after);
        }
        Ok(())
    }

    async fn apply_single(&self, hold: &Hold, event: &Envelope) -> Result<(), DbError> {
        let mut attempts = 0;
        loop {
            match self.apply_batch(&[hold], std::slice::from_ref(event)).await {
                Ok(()) => return Ok(()),
                Err(error) if error.is_transient() => return Err(as_database_error(error)),
                Err(error) => {
                    attempts += 1;
                    if attempts >= ATTEMPTS {
                        return self.give_up(hold, event, &error, attempts).await;
                    }
                }
            }
        }
    }

    async fn give_up(
        &self,
        hold: &Hold,
        event: &Envelope,
        reason: &HandlerError,
        attempts: i32,
    ) -> Result<(), DbError> {
        error!(stream = self.stream, event = %event.id, kind = event.kind, %reason, "an event became a dead letter");
        let mut tx = self
            .database
            .begin_held("give_up_event", &TenantSet::one(&event.tenant), &[hold])
            .await?;
        remember(&mut tx, std::slice::from_ref(event)).await?;
        dead_letters::bury(&mut tx, event, &reason.to_string(), attempts).await?;
        tx.commit().await?;
        self.count("dead_letter", 1);
        Ok(())
    }

    fn count(&self, outcome: &'static str, events: u64) {
        self.outcomes.add(
            events,
            &[KeyValue::new("stream", self.stream), KeyValue::new("outcome", outcome)],
        );
    }
}

impl<H: Handler> ShardWorker for Consumer<H> {
    async fn work(&self, hold: Hold, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match self.consume(&hold, &stop).await {
                Ok(()) => return,
                Err(ConsumeError::Database(DbError::LeaseLost)) => {
                    info!(shard = hold.shard(), "another replica consumes now");
                    return;
                }
                // Also UNBLOCKED and NOGROUP after Redis was emptied: the group is made anew on the way back in.
                Err(error) => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    warn!(shard = hold.shard(), %error, cause, "consuming failed, will go on");
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = tokio::time::sleep(Duration::from_millis(250)) => {}
                    }
                }
            }
        }
    }
}

/// Opens the span of an event's effect, if the event is traced.
fn open_span(event: &mut Envelope) -> Option<Span> {
    let traceparent = event.traceparent.as_mut()?;
    let tenant = event.tenant.as_str();
    // The attribute names are those of telemetry::TENANT and telemetry::EVENT_TYPE; the macro takes no constants.
    let span = info_span!("consume_event", otel.kind = "consumer", tenant, event.type = event.kind);
    trace::pass_through(&span, traceparent);
    Some(span)
}

/// Remembers events as applied and returns the ids of those that were not before.
async fn remember(tx: &mut PgConnection, events: &[Envelope]) -> Result<HashSet<Uuid>, DbError> {
    let tenants: Vec<&str> = events.iter().map(|event| event.tenant.as_str()).collect();
    let ids: Vec<Uuid> = events.iter().map(|event| event.id).collect();
    let new: Vec<Uuid> = sqlx::query_scalar(
        "insert into inbox (tenant_id, event_id) select * from unnest($1::text[], $2::uuid[])
         on conflict do nothing returning event_id",
    )
    .bind(tenants)
    .bind(ids)
    .fetch_all(tx)
    .await?;
    Ok(new.into_iter().collect())
}

fn as_database_error(error: HandlerError) -> DbError {
    match error {
        HandlerError::Database(error) => error,
        HandlerError::Rejected(_) => unreachable!("a rejection is not transient"),
    }
}
