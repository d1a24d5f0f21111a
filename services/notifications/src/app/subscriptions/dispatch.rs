//! Sends what is due to endpoints: many at once, but few of each, so that one that hangs or is gone delays its own events only.
//!
//! A shard of subscriptions has one worker over all replicas, fenced by its lease, so what is at hand needs no locks of its own.
//! What is due is read in portions ([`line`]), sent in order per subject ([`attempt`]), and what became of it is written down for
//! many at once. A worker that dies in between sends again what it had not written down: at least once, under the same id.

mod attempt;
mod line;

use std::{collections::HashMap, mem, sync::Arc, time::Duration};

use futures_util::{
    FutureExt, StreamExt,
    future::{BoxFuture, OptionFuture},
    stream::FuturesUnordered,
};
use reflex_events::envelope::shard_of;
use reflex_pg::{
    Database, DbError,
    lease::{Hold, ShardWorker},
};
use reflex_runtime::clock::SharedClock;
use reflex_sealing::Sealer;
use reflex_tenancy::TenantSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use self::line::{Job, Line};
use crate::{
    channels::http::HttpClient,
    domain::subscription::{Outcome, Progress, State, retry},
    store::{
        deliveries,
        dispatching::{self, Attempted, Due, Judged, Key, Sealed, Wanted},
    },
    wake::Wake,
};

pub use self::attempt::{Keychain, Unusable, Verdict};
pub(super) use self::attempt::{body, place};

/// Shards of the subscriptions; each is worked by one replica.
pub const DISPATCH_SHARDS: i16 = 4;
/// How often the loop looks unless it is woken: the safety net for what other replicas committed.
const POLL: Duration = Duration::from_millis(100);
/// Most attempts under way at once in a shard.
const AT_ONCE: usize = 2_048;
/// Most outcomes written by one transaction.
const PORTION: usize = 500;
/// How long attempts under way may take when the process stops; what is not written down is sent again.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long to wait after the database failed.
const AFTER_FAILURE: Duration = Duration::from_millis(250);
/// Why a subscription is disabled.
const GONE: &str = "the endpoint answered 410 Gone";

/// Sends what is due for the subscriptions of a shard.
pub struct Dispatcher {
    /// Where deliveries wait.
    pub database: Database,
    /// Tells when.
    pub clock: SharedClock,
    /// Goes to the endpoints.
    pub http: HttpClient,
    /// Opens addresses and secrets.
    pub sealer: Sealer,
    /// Wakes the loop.
    pub wake: Wake,
}

/// An attempt that ended.
struct Done {
    key: Key,
    due: Due,
    verdict: Verdict,
}

/// What became of a round trip to the database.
enum Answered {
    Loaded(Result<Loaded, DbError>),
    Stored(
        Vec<Attempted>,
        Vec<Judged>,
        Vec<Key>,
        Result<HashMap<Key, i64>, DbError>,
    ),
}

/// What was read, by subscription.
type Loaded = Vec<(Key, Sealed, Vec<Due>)>;

/// What a shard has at hand.
#[derive(Default)]
struct Work {
    lines: HashMap<Key, Line>,
    under_way: usize,
    /// What ended and is not written down yet.
    attempted: Vec<Attempted>,
    /// Endpoints that are back.
    back: Vec<Key>,
    /// Whether something may be due that is not at hand.
    look: bool,
    /// Whether the last round trip wrote, so that reading has its turn.
    wrote: bool,
}

impl Dispatcher {
    async fn load(&self, hold: &Hold, full: HashMap<Key, Vec<i64>>) -> Answered {
        Answered::Loaded(self.read(hold, full).await)
    }

    async fn read(&self, hold: &Hold, mut at_hand: HashMap<Key, Vec<i64>>) -> Result<Loaded, DbError> {
        let now = self.clock.now();
        let due = dispatching::due(&self.database.worker, now).await?;
        let ours = due
            .into_iter()
            .filter(|(of, name)| shard_of(of, name, DISPATCH_SHARDS) == hold.index());
        let wanted: Vec<Wanted> = ours
            .filter_map(|key| {
                let has = at_hand.remove(&key).unwrap_or_default();
                let count = line::PAGE
                    .checked_sub(has.len())
                    .filter(|count| *count > line::PAGE / 2)?;
                let count = i64::try_from(count).unwrap_or(1);
                Some(Wanted { key, count, held: has })
            })
            .collect();
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let tenants: TenantSet = wanted.iter().map(|wanted| wanted.key.0.clone()).collect();
        let mut tx = self.database.begin_held("load_deliveries", &tenants, &[hold]).await?;
        let found = dispatching::load(&mut tx, &wanted, now).await?;
        tx.commit().await?;
        Ok(found)
    }

    async fn store(&self, hold: &Hold, attempted: Vec<Attempted>, judged: Vec<Judged>, back: Vec<Key>) -> Answered {
        let stored = self.write(hold, &attempted, &judged, &back).await;
        Answered::Stored(attempted, judged, back, stored)
    }

    async fn write(
        &self,
        hold: &Hold,
        attempted: &[Attempted],
        judged: &[Judged],
        back: &[Key],
    ) -> Result<HashMap<Key, i64>, DbError> {
        let tenants: TenantSet = attempted.iter().map(|attempt| attempt.key.0.clone()).collect();
        let mut tx = self.database.begin_held("store_attempts", &tenants, &[hold]).await?;
        let active = dispatching::store(&mut tx, attempted).await?;
        dispatching::judge(&mut tx, judged).await?;
        for (tenant, name) in back {
            deliveries::hurry(&mut tx, tenant, name, self.clock.now()).await?;
        }
        tx.commit().await?;
        Ok(active)
    }

    /// Begins the next round trip: outcomes are written before more is read, but never twice in a row while something may be due.
    fn next_trip<'a>(&'a self, hold: &'a Hold, work: &mut Work) -> Option<BoxFuture<'a, Answered>> {
        let reading_has_its_turn = work.wrote && work.look;
        if !work.attempted.is_empty() && !reading_has_its_turn {
            work.wrote = true;
            let rest = work.attempted.split_off(work.attempted.len().min(PORTION));
            let attempted = mem::replace(&mut work.attempted, rest);
            let judged = work
                .lines
                .iter_mut()
                .filter_map(|(key, line)| line.judged(key, GONE))
                .collect();
            let back = mem::take(&mut work.back);
            return Some(self.store(hold, attempted, judged, back).boxed());
        }
        if !work.look {
            return None;
        }
        (work.look, work.wrote) = (false, false);
        let at_hand = work
            .lines
            .iter()
            .map(|(key, line)| (key.clone(), line.held()))
            .collect();
        Some(self.load(hold, at_hand).boxed())
    }

    /// Takes in what a round trip brought; false when the shard is somebody else's now.
    async fn take(&self, work: &mut Work, answered: Answered) -> bool {
        let error = match answered {
            Answered::Loaded(Ok(loaded)) => {
                for (key, sealed, items) in loaded {
                    self.line_up(work, &key, &sealed, items);
                }
                return true;
            }
            Answered::Stored(attempted, _, _, Ok(active)) => {
                work.written(&attempted, &active);
                return true;
            }
            Answered::Loaded(Err(error)) => {
                work.look = true;
                error
            }
            Answered::Stored(attempted, judged, back, Err(error)) => {
                work.attempted.splice(0..0, attempted);
                work.back.extend(back);
                for judged in judged {
                    if let Some(line) = work.lines.get_mut(&judged.key) {
                        line.is_judged = false;
                    }
                }
                error
            }
        };
        if matches!(error, DbError::LeaseLost) {
            info!("another replica sends to these subscriptions now");
            return false;
        }
        warn!(%error, "deliveries could not be read or written, will go on");
        tokio::time::sleep(AFTER_FAILURE).await;
        true
    }

    fn line_up(&self, work: &mut Work, key: &Key, sealed: &Sealed, items: Vec<Due>) {
        let line = work.lines.entry(key.clone()).or_default();
        if line.version() != Some(sealed.version) {
            match Keychain::open(&self.sealer, key, sealed) {
                Ok(keychain) => line.turn_to(Arc::new(keychain), sealed),
                Err(error) => {
                    let (tenant, subscription) = key;
                    warn!(%tenant, subscription, %error, "a subscription cannot be opened, its events wait");
                    work.lines.remove(key);
                    return;
                }
            }
        }
        line.add(items);
    }

    async fn attempt(&self, job: Job) -> Done {
        let verdict = attempt::send(&self.http, &self.clock, &job).await;
        Done {
            key: job.key,
            due: job.due,
            verdict,
        }
    }
}

impl Work {
    /// Takes what may be sent now.
    fn jobs(&mut self, now: jiff::Timestamp) -> Vec<Job> {
        let mut jobs = Vec::new();
        for (key, line) in &mut self.lines {
            while self.under_way < AT_ONCE
                && let Some(job) = line.next(key, now)
            {
                self.under_way += 1;
                jobs.push(job);
            }
        }
        jobs
    }

    /// Says what an attempt makes of its delivery and its endpoint.
    fn finish(&mut self, done: Done, now: jiff::Timestamp) {
        self.under_way = self.under_way.saturating_sub(1);
        let Done { key, due, verdict } = done;
        let Some(line) = self.lines.get_mut(&key) else { return };
        let spread = rand::random();
        if line.finish(&due, &verdict.outcome, now, spread) {
            self.back.push(key.clone());
            self.look = true;
        }
        let mut attempted = Attempted {
            sequence: due.sequence,
            number: due.attempts + 1,
            progress: Progress::Pending,
            reason: String::new(),
            failures: due.failures,
            next_attempt_time: now,
            outcome: verdict.outcome.as_str(),
            status: verdict.status,
            detail: verdict.detail,
            latency: verdict.latency,
            time: now,
            key,
        };
        match verdict.outcome {
            Outcome::Delivered => attempted.progress = Progress::Delivered,
            Outcome::Gone => {}
            Outcome::RetryLater(asked) => {
                attempted.failures += 1;
                if let Some(delay) = retry::delay(attempted.failures, spread, asked) {
                    attempted.next_attempt_time = now + delay;
                } else {
                    attempted.progress = Progress::Failed;
                    attempted.reason = format!("given up after {} failed attempts", attempted.failures);
                }
            }
        }
        self.attempted.push(attempted);
    }

    /// Lets go of what was written down.
    fn written(&mut self, attempted: &[Attempted], active: &HashMap<Key, i64>) {
        for attempt in attempted {
            if let Some(line) = self.lines.get_mut(&attempt.key) {
                line.let_go(attempt.sequence);
            }
        }
        for key in attempted.iter().map(|attempt| &attempt.key) {
            let Some(line) = self.lines.get_mut(key) else { continue };
            // Paused, deleted or changed meanwhile: what is at hand is read again.
            if active.get(key).copied() != line.version() {
                line.put_back();
            }
            self.look |= line.wants_more();
            if line.is_idle() {
                self.lines.remove(key);
            }
        }
    }
}

impl ShardWorker for Dispatcher {
    async fn work(&self, hold: Hold, stop: CancellationToken) {
        let mut woken = self.wake.listen();
        let mut work = Work {
            look: true,
            ..Work::default()
        };
        let mut running = FuturesUnordered::new();
        let mut trip: OptionFuture<BoxFuture<'_, Answered>> = None.into();
        let mut at_trip = false;
        let mut poll = tokio::time::interval(POLL);
        poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !stop.is_cancelled() {
            for job in work.jobs(self.clock.now()) {
                running.push(self.attempt(job));
            }
            if !at_trip {
                let next = self.next_trip(&hold, &mut work);
                at_trip = next.is_some();
                trip = next.into();
            }
            tokio::select! {
                () = stop.cancelled() => {}
                Some(done) = running.next() => {
                    let now = self.clock.now();
                    work.finish(done, now);
                    // What ended together is written together.
                    while let Some(Some(done)) = running.next().now_or_never() {
                        work.finish(done, now);
                    }
                }
                Some(answered) = &mut trip, if at_trip => {
                    (at_trip, trip) = (false, None.into());
                    if !self.take(&mut work, answered).await {
                        return;
                    }
                }
                () = woken.woken() => work.look = true,
                _ = poll.tick() => work.look = true,
            }
        }
        // What is under way gets a moment, and its outcome written down.
        let ended = async {
            while let Some(done) = running.next().await {
                work.finish(done, self.clock.now());
            }
        };
        let _what_hangs_is_sent_again = tokio::time::timeout(PATIENCE, ended).await;
        if at_trip {
            drop(trip.await);
        }
        work.look = false;
        while let Some(trip) = self.next_trip(&hold, &mut work) {
            if let Answered::Stored(_, _, _, Err(error)) = trip.await {
                warn!(%error, "outcomes could not be written, these events are sent again");
                break;
            }
        }
    }
}

/// What a subscription comes to when its endpoint said that it is gone, or not.
const fn state_of(gone: bool) -> State {
    if gone { State::Disabled } else { State::Active }
}
