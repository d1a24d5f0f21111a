//! Shows changes of leads as they are committed. One loop of the process reads for all watchers together, from the place of
//! the one furthest behind in each tenant, so watching costs one query however many watch. Who has no room is not read for
//! and let go after a while, so a slow one holds up nobody.

pub(crate) mod change;
mod watch;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use reflex_pg::{Database, DbError};
use reflex_rpc::status;
use reflex_tenancy::{TenantId, TenantSet};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::warn;
use uuid::Uuid;

use self::change::{Change, Told};
use crate::{
    domain::ids::LeadId,
    error::Error,
    store::{
        changes::{self, Place},
        leads::{Filter, LeadRow},
    },
};

/// How often the loop looks while somebody watches.
const POLL: Duration = Duration::from_millis(50);
/// Facts read at once for a tenant.
const BATCH: i64 = 500;
/// A reader who has seen nothing for so long gets a new place to go on from, before facts are deleted behind the old one.
const REMIND_AFTER: Duration = Duration::from_hours(1);

/// What watching may cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WatchLimits {
    /// Watchers of this process.
    pub(crate) watchers: usize,
    /// Changes that wait for a reader.
    pub(crate) changes: usize,
    /// How long a reader may take nothing while changes wait.
    pub(crate) patience: Duration,
}

/// A change, or nothing but a new place to go on from.
#[derive(Debug, Clone)]
pub(crate) struct News {
    pub(crate) place: Place,
    pub(crate) change: Option<Arc<Change>>,
}

/// Why a subscription ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The reader took nothing for too long.
    TooSlow,
    /// The process stops.
    Stopping,
}

/// Changes for one reader.
pub(crate) struct Subscription {
    news: mpsc::Receiver<News>,
    ended: Arc<OnceLock<Ended>>,
}

impl Subscription {
    /// Returns what is next, or why there is no more.
    ///
    /// # Errors
    /// The end, again and again.
    pub(crate) async fn next(&mut self) -> Result<News, Ended> {
        match self.news.recv().await {
            Some(news) => Ok(news),
            None => Err(self.ended.get().copied().unwrap_or(Ended::Stopping)),
        }
    }
}

/// Everybody who watches leads in this process.
pub(crate) struct Watchers {
    database: Database,
    limits: WatchLimits,
    next: AtomicU64,
    watching: Mutex<HashMap<u64, Watching>>,
}

struct Watching {
    tenant: TenantId,
    filter: Filter,
    after: Place,
    news: mpsc::Sender<News>,
    ended: Arc<OnceLock<Ended>>,
    full_since: Option<Instant>,
    last_told: Instant,
}

impl Watchers {
    /// Makes the list; its loop is [`Watchers::run`].
    pub(crate) fn new(database: Database, limits: WatchLimits) -> Self {
        Self {
            database,
            limits,
            next: AtomicU64::new(0),
            watching: Mutex::default(),
        }
    }

    /// Watches the leads of a tenant from a place, or from what comes from now on; first tells the place.
    ///
    /// # Errors
    /// When there are too many watchers, the place is of another database, or the database fails.
    pub(crate) async fn watch(
        &self,
        tenant: &TenantId,
        filter: Filter,
        after: Option<Place>,
    ) -> Result<Subscription, Error> {
        let mut tx = self.database.begin("watch_leads", &TenantSet::one(tenant)).await?;
        let horizon = changes::horizon(&mut tx).await?;
        tx.commit().await?;
        let after = after.unwrap_or(Place::before(horizon));
        if !after.is_below(horizon) {
            // The database was restored elsewhere, where transactions are counted anew.
            return Err(Error::invalid(
                "resume_token",
                "is not of this database; list the leads and watch anew",
            ));
        }
        let (sender, receiver) = mpsc::channel(self.limits.changes + 1);
        let watching = Watching {
            tenant: tenant.clone(),
            filter,
            after,
            news: sender,
            ended: Arc::default(),
            full_since: None,
            last_told: Instant::now(),
        };
        watching.tell(None);
        let subscription = Subscription {
            news: receiver,
            ended: Arc::clone(&watching.ended),
        };
        let mut all = self.watching.lock();
        if all.len() >= self.limits.watchers {
            return Err(status::overloaded(Duration::from_secs(1)).into());
        }
        all.insert(self.next.fetch_add(1, Ordering::Relaxed), watching);
        Ok(subscription)
    }

    /// Hands changes out until `stop`.
    pub(crate) async fn run(self: Arc<Self>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match self.hand_out().await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => warn!(%error, "changes of leads could not be read, will go on"),
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
        for (_, watching) in self.watching.lock().drain() {
            watching.end(Ended::Stopping);
        }
    }

    /// Hands out what is there; returns whether there is more.
    async fn hand_out(&self) -> Result<bool, DbError> {
        let readers = self.ready();
        if readers.is_empty() {
            return Ok(false);
        }
        let tenants: TenantSet = readers.keys().cloned().collect();
        let reads: Vec<(TenantId, Place)> = readers
            .iter()
            .map(|(tenant, readers)| (tenant.clone(), readers.from))
            .collect();
        let mut tx = self.database.begin("read_lead_changes", &tenants).await?;
        // Before the facts: what is committed in between has to wait for the next look.
        let horizon = changes::horizon(&mut tx).await?;
        let facts = changes::list(&mut tx, &reads, horizon, BATCH).await?;
        let mut read: Vec<Vec<(Place, Option<Told>)>> = reads.iter().map(|_| Vec::new()).collect();
        for fact in facts {
            let place = fact.place();
            let of_tenant = usize::try_from(fact.read - 1).expect("reads are counted from 1");
            read[of_tenant].push((place, Told::read(fact)));
        }
        let of_leads: Vec<(&TenantId, Uuid)> = reads
            .iter()
            .zip(&read)
            .flat_map(|((tenant, _), facts)| {
                let told = facts.iter().filter_map(|(_, told)| told.as_ref());
                told.map(move |told| (tenant, told.lead.0))
            })
            .collect();
        let leads = if of_leads.is_empty() {
            Vec::new()
        } else {
            changes::list_leads(&mut tx, &of_leads).await?
        };
        tx.commit().await?;
        let leads: HashMap<LeadId, Arc<LeadRow>> = leads
            .into_iter()
            .map(|lead| (LeadId(lead.lead_id), Arc::new(lead)))
            .collect();
        let mut has_more = false;
        for (readers, facts) in readers.into_values().zip(read) {
            let is_all = facts.len() < usize::try_from(BATCH).expect("a small number");
            has_more |= !is_all;
            let news: Vec<News> = facts
                .into_iter()
                .map(|(place, told)| News {
                    place,
                    change: told.and_then(|told| Some(Arc::new(told.of(leads.get(&told.lead))?))),
                })
                .collect();
            self.give(&readers.keys, &news, is_all.then_some(horizon));
        }
        Ok(has_more)
    }

    /// Gives news to those they were read for. Where they are all there are, everything below the horizon was seen.
    fn give(&self, keys: &[u64], news: &[News], seen_to: Option<i64>) {
        let mut all = self.watching.lock();
        for key in keys {
            let Some(watching) = all.get_mut(key) else { continue };
            let took_all = news.iter().all(|news| watching.take(news));
            if let (true, Some(horizon)) = (took_all, seen_to) {
                watching.after = watching.after.max(Place::before(horizon));
                watching.remind();
            }
        }
    }

    /// Lets go of those who left or do not read, and returns those who have room, by tenant.
    fn ready(&self) -> BTreeMap<TenantId, Readers> {
        let mut all = self.watching.lock();
        all.retain(|_, watching| !watching.news.is_closed() && !watching.is_too_slow(self.limits.patience));
        let mut readers: BTreeMap<TenantId, Readers> = BTreeMap::new();
        for (key, watching) in all.iter().filter(|(_, watching)| watching.full_since.is_none()) {
            let of_tenant = readers.entry(watching.tenant.clone()).or_insert(Readers {
                from: watching.after,
                keys: Vec::new(),
            });
            of_tenant.from = of_tenant.from.min(watching.after);
            of_tenant.keys.push(*key);
        }
        readers
    }
}

/// Those of one tenant who have room, and the place of the one furthest behind.
struct Readers {
    from: Place,
    keys: Vec<u64>,
}

impl Watching {
    /// Takes news unless they were taken before or are not asked for; returns whether that was possible.
    fn take(&mut self, news: &News) -> bool {
        if news.place <= self.after {
            return true;
        }
        let wanted = news.change.as_ref().filter(|change| change.matches(&self.filter));
        let before = std::mem::replace(&mut self.after, news.place);
        if let Some(change) = wanted {
            if !self.tell(Some(Arc::clone(change))) {
                self.after = before;
                return false;
            }
            self.last_told = Instant::now();
        }
        true
    }

    /// Sends the present place, with a change if there is one; returns whether there was room.
    fn tell(&self, change: Option<Arc<Change>>) -> bool {
        let place = self.after;
        self.news.try_send(News { place, change }).is_ok()
    }

    /// Tells the place to a reader who has seen nothing for long.
    fn remind(&mut self) {
        if self.last_told.elapsed() > REMIND_AFTER && self.tell(None) {
            self.last_told = Instant::now();
        }
    }

    fn is_too_slow(&mut self, patience: Duration) -> bool {
        if self.news.capacity() > 0 {
            self.full_since = None;
            return false;
        }
        let too_slow = self.full_since.get_or_insert_with(Instant::now).elapsed() > patience;
        if too_slow {
            // Already ended subscriptions are not in the list.
            let _first = self.ended.set(Ended::TooSlow);
        }
        too_slow
    }

    fn end(self, why: Ended) {
        let _first = self.ended.set(why);
    }
}

#[cfg(test)]
mod tests;
