//! Shows inbox items as they come. What this process writes it hands on at once to those who have everything before it.
//! One loop finds the rest, so watching costs one query however many watch; it reads no further than a watcher has room,
//! so a slow one holds up nobody and costs nothing.

use std::{
    collections::HashMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use jiff::Timestamp;
use parking_lot::Mutex;
use reflex_pg::{Database, DbError};
use reflex_runtime::pace::Pace;
use reflex_tenancy::{TenantId, TenantSet};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{
    error::Error,
    store::{
        inbox::{self, Item, Watcher},
        messages::NewMessage,
        recipients,
    },
    wake::Wake,
};

/// How often the loop looks unless it is woken: for what other replicas committed.
const POLL: Duration = Duration::from_millis(200);

/// Looks start so far apart when much is coming in.
const GAP: Duration = Duration::from_millis(3);

/// What watching may cost.
#[derive(Debug, Clone, Copy)]
pub struct WatchLimits {
    /// Watchers of this process.
    pub watchers: usize,
    /// Items that wait for a reader.
    pub items: usize,
    /// How long a reader may take nothing while items wait.
    pub patience: Duration,
}

/// An inbox item that was just committed.
#[derive(Debug, Clone)]
pub struct NewItem {
    /// Whose it is.
    pub tenant: TenantId,
    /// The item.
    pub item: Item,
}

impl NewItem {
    /// Returns the item of a message that goes to an inbox.
    pub(crate) fn of(message: NewMessage, now: Timestamp) -> Option<Self> {
        Some(Self {
            tenant: message.tenant,
            item: Item {
                id: message.id,
                recipient: message.recipient,
                sequence: message.inbox_sequence?,
                title: message.title,
                body: message.body,
                subject: message.subject,
                class: message.class,
                create_time: now,
                read_time: None,
            },
        })
    }
}

/// Everybody who watches an inbox in this process.
pub struct Watchers {
    database: Database,
    limits: WatchLimits,
    wake: Wake,
    next: AtomicU64,
    watching: Mutex<HashMap<u64, Watching>>,
}

struct Watching {
    tenant: TenantId,
    recipient: String,
    after: i64,
    items: mpsc::Sender<Item>,
    ended: Arc<OnceLock<Ended>>,
    full_since: Option<Instant>,
}

/// Why a subscription ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The reader took nothing for too long.
    TooSlow,
    /// The process stops.
    Stopping,
}

/// Items for one reader.
pub struct Subscription {
    items: mpsc::Receiver<Item>,
    ended: Arc<OnceLock<Ended>>,
}

impl Subscription {
    /// Returns the next item, or why there are no more.
    ///
    /// # Errors
    /// The end, again and again.
    pub async fn next(&mut self) -> Result<Item, Ended> {
        match self.items.recv().await {
            Some(item) => Ok(item),
            None => Err(self.ended.get().copied().unwrap_or(Ended::Stopping)),
        }
    }
}

impl Watchers {
    /// Makes the list; its loop is [`Watchers::run`].
    #[must_use]
    pub fn new(database: Database, limits: WatchLimits, wake: Wake) -> Self {
        Self {
            database,
            limits,
            wake,
            next: AtomicU64::new(0),
            watching: Mutex::default(),
        }
    }

    /// Watches an inbox from after `after`, or from what comes from now on.
    ///
    /// # Errors
    /// When there are too many watchers, or the database fails.
    pub async fn watch(&self, tenant: &TenantId, recipient: &str, after: Option<i64>) -> Result<Subscription, Error> {
        let after = if let Some(after) = after {
            after
        } else {
            let mut tx = self.database.begin("watch_inbox", &TenantSet::one(tenant)).await?;
            recipients::inbox_sequence(&mut tx, tenant, recipient).await?
        };
        let (sender, receiver) = mpsc::channel(self.limits.items);
        let ended = Arc::new(OnceLock::new());
        let watching = Watching {
            tenant: tenant.clone(),
            recipient: recipient.to_owned(),
            after,
            items: sender,
            ended: Arc::clone(&ended),
            full_since: None,
        };
        {
            let mut all = self.watching.lock();
            if all.len() >= self.limits.watchers {
                return Err(Error::TooManyWatchers);
            }
            all.insert(self.next.fetch_add(1, Ordering::Relaxed), watching);
        }
        self.wake.wake();
        Ok(Subscription { items: receiver, ended })
    }

    /// Hands committed items to those who have all that came before; the loop looks for everybody else.
    pub fn hand(&self, items: Vec<NewItem>) {
        let mut inboxes: HashMap<TenantId, HashMap<String, Vec<Item>>> = HashMap::new();
        for NewItem { tenant, item } in items {
            let of_tenant = inboxes.entry(tenant).or_default();
            of_tenant.entry(item.recipient.clone()).or_default().push(item);
        }
        let mut is_behind = false;
        for watching in self.watching.lock().values_mut() {
            let of_tenant = inboxes.get(&watching.tenant);
            for item in of_tenant
                .and_then(|inboxes| inboxes.get(&watching.recipient))
                .into_iter()
                .flatten()
            {
                is_behind |= item.sequence > watching.after && !watching.take_next(item);
            }
        }
        if is_behind {
            self.wake.wake();
        }
    }

    /// Hands items out until `stop`.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut woken = self.wake.listen();
        let mut pace = Pace::new(GAP);
        while !stop.is_cancelled() {
            pace.next().await;
            if let Err(error) = self.hand_out().await {
                warn!(%error, "new inbox items could not be read, will go on");
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = woken.woken() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
        for (_, watching) in self.watching.lock().drain() {
            watching.end(Ended::Stopping);
        }
    }

    async fn hand_out(&self) -> Result<(), DbError> {
        let (keys, watchers) = self.ready();
        if watchers.is_empty() {
            return Ok(());
        }
        let tenants: TenantSet = watchers.iter().map(|watcher| watcher.tenant.clone()).collect();
        let mut tx = self.database.begin("read_new_items", &tenants).await?;
        let news = inbox::news(&mut tx, &watchers).await?;
        tx.commit().await?;
        let mut all = self.watching.lock();
        for (place, item) in news {
            if let Some(watching) = all.get_mut(&keys[place]) {
                // What was handed on since the look is not handed out again.
                if item.sequence > watching.after {
                    watching.take(item);
                }
            }
        }
        Ok(())
    }

    /// Lets go of those who left or do not read, and returns those who have room.
    fn ready(&self) -> (Vec<u64>, Vec<Watcher>) {
        let mut all = self.watching.lock();
        all.retain(|_, watching| !watching.items.is_closed() && !watching.is_too_slow(self.limits.patience));
        let with_room = all.iter().filter(|(_, watching)| watching.full_since.is_none());
        with_room
            .map(|(key, watching)| {
                let watcher = Watcher {
                    tenant: watching.tenant.clone(),
                    recipient: watching.recipient.clone(),
                    after: watching.after,
                    room: i64::try_from(watching.items.capacity()).unwrap_or(i64::MAX),
                };
                (*key, watcher)
            })
            .unzip()
    }
}

impl Watching {
    /// Takes the item that comes right after the last one, if there is room.
    fn take_next(&mut self, item: &Item) -> bool {
        item.sequence == self.after + 1 && self.take(item.clone())
    }

    /// Takes an item if there is room; a reader who just left is forgotten in the loop's next round.
    fn take(&mut self, item: Item) -> bool {
        let sequence = item.sequence;
        let taken = self.items.try_send(item).is_ok();
        if taken {
            self.after = sequence;
        }
        taken
    }

    fn is_too_slow(&mut self, patience: Duration) -> bool {
        if self.items.capacity() > 0 {
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
