//! Forms the gateway knows, for a while.

use std::{collections::HashMap, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use parking_lot::{Mutex, RwLock};
use reflex_proto::leads::v1::Form;
use reflex_runtime::clock::SharedClock;
use reflex_tenancy::TenantId;

use super::bucket::Bucket;
use crate::problem::Problem;

/// How long a form is used without asking again.
const FRESH: SignedDuration = SignedDuration::from_secs(30);
/// How long nobody asks again for a form that does not exist.
const ABSENT: SignedDuration = SignedDuration::from_secs(5);
/// Absent forms that are remembered; whoever invents names cannot fill the memory, nor push out forms that exist.
const MAX_ABSENT: usize = 4_096;
/// Posts a minute for forms that do not say.
const DEFAULT_POSTS_PER_MINUTE: u32 = 600;

type Key = (TenantId, String);

/// Remembers forms, and that there are none, and how much was posted.
pub(super) struct FormBook {
    clock: SharedClock,
    known: RwLock<HashMap<Key, Arc<KnownForm>>>,
    absent: Mutex<HashMap<Key, Timestamp>>,
    /// One question at a time for each form, however many posts wait for the answer.
    asking: Mutex<HashMap<Key, Arc<tokio::sync::Mutex<()>>>>,
}

/// A form with what has been posted to it.
pub(super) struct KnownForm {
    pub(super) form: Form,
    asked: Timestamp,
    bucket: Arc<Mutex<Bucket>>,
}

/// What is remembered of a form.
enum Memory {
    Known(Arc<KnownForm>),
    Absent,
    /// Nothing, or for too long.
    Faded,
}

impl FormBook {
    pub(super) fn new(clock: SharedClock) -> Self {
        Self {
            clock,
            known: RwLock::default(),
            absent: Mutex::default(),
            asking: Mutex::default(),
        }
    }

    /// Returns a form, which `ask` fetches when it is not known or was asked for too long ago; `None` where there is
    /// none.
    pub(super) async fn find(
        &self,
        key: Key,
        ask: impl AsyncFnOnce() -> Result<Option<Form>, Problem>,
    ) -> Result<Option<Arc<KnownForm>>, Problem> {
        match self.remembered(&key) {
            Memory::Known(known) => return Ok(Some(known)),
            Memory::Absent => return Ok(None),
            Memory::Faded => {}
        }
        let turn = Turn::new(self, &key);
        let _asking = turn.lock.lock().await;
        match self.remembered(&key) {
            Memory::Known(known) => return Ok(Some(known)),
            Memory::Absent => return Ok(None),
            Memory::Faded => {}
        }
        let form = ask().await?;
        Ok(self.remember(key.clone(), form))
    }

    /// Takes a post out of the form's bucket, or tells when there is one again.
    pub(super) fn take(&self, known: &KnownForm) -> Result<(), Duration> {
        known
            .bucket
            .lock()
            .take(posts_per_minute(&known.form), self.clock.now())
    }

    fn remembered(&self, key: &Key) -> Memory {
        let now = self.clock.now();
        let within = |since: Timestamp, limit| (SignedDuration::ZERO..limit).contains(&now.duration_since(since));
        if let Some(known) = self.known.read().get(key)
            && within(known.asked, FRESH)
        {
            return Memory::Known(Arc::clone(known));
        }
        let absent = self.absent.lock().get(key).is_some_and(|&since| within(since, ABSENT));
        if absent { Memory::Absent } else { Memory::Faded }
    }

    fn remember(&self, key: Key, form: Option<Form>) -> Option<Arc<KnownForm>> {
        let now = self.clock.now();
        let Some(form) = form else {
            self.known.write().remove(&key);
            let mut absent = self.absent.lock();
            if absent.len() >= MAX_ABSENT {
                absent.clear();
            }
            absent.insert(key, now);
            return None;
        };
        self.absent.lock().remove(&key);
        let mut known = self.known.write();
        // What was posted counts on, whatever else changed about the form.
        let bucket = known.get(&key).map(|known| Arc::clone(&known.bucket));
        let bucket = bucket.unwrap_or_else(|| Arc::new(Mutex::new(Bucket::new(posts_per_minute(&form), now))));
        let found = Arc::new(KnownForm {
            form,
            asked: now,
            bucket,
        });
        known.insert(key, Arc::clone(&found));
        Some(found)
    }
}

fn posts_per_minute(form: &Form) -> u32 {
    match u32::try_from(form.posts_per_minute) {
        Ok(posts) if posts > 0 => posts,
        _ => DEFAULT_POSTS_PER_MINUTE,
    }
}

/// A place in the queue of those who want to know a form.
struct Turn<'a> {
    book: &'a FormBook,
    key: &'a Key,
    lock: Arc<tokio::sync::Mutex<()>>,
}

impl<'a> Turn<'a> {
    fn new(book: &'a FormBook, key: &'a Key) -> Self {
        let lock = Arc::clone(book.asking.lock().entry(key.clone()).or_default());
        Self { book, key, lock }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.book.asking.lock().remove(self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use reflex_runtime::clock::FixedClock;

    use super::*;

    fn book() -> (FormBook, Arc<FixedClock>) {
        let clock = Arc::new(FixedClock::new("2026-03-02T09:00:00+08:00".parse().unwrap()));
        (FormBook::new(clock.clone()), clock)
    }

    fn key(form: &str) -> Key {
        ("huadong".parse().unwrap(), form.to_owned())
    }

    #[tokio::test]
    async fn a_form_is_asked_for_once_in_a_while() {
        let (book, clock) = book();
        let asked = AtomicUsize::new(0);
        let find = async || {
            let ask = async || {
                asked.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                Ok(Some(Form::default()))
            };
            book.find(key("a"), ask).await.unwrap().unwrap()
        };
        futures_util::future::join_all((0..50).map(|_| find())).await;
        assert_eq!(asked.load(Ordering::SeqCst), 1, "fifty posts, one question");
        clock.advance(SignedDuration::from_secs(29));
        find().await;
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        clock.advance(SignedDuration::from_secs(1));
        find().await;
        assert_eq!(asked.load(Ordering::SeqCst), 2);
        clock.advance(SignedDuration::from_hours(-1));
        find().await;
        assert_eq!(
            asked.load(Ordering::SeqCst),
            3,
            "a clock set back makes nothing eternal"
        );
        assert!(book.asking.lock().is_empty());
    }

    #[tokio::test]
    async fn absence_is_remembered_shortly_and_within_bounds() {
        let (book, clock) = book();
        let asked = AtomicUsize::new(0);
        let find = async |form: &str| {
            let ask = async || {
                asked.fetch_add(1, Ordering::SeqCst);
                Ok(None)
            };
            assert!(book.find(key(form), ask).await.unwrap().is_none());
        };
        find("a").await;
        find("a").await;
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        clock.advance(ABSENT);
        find("a").await;
        assert_eq!(asked.load(Ordering::SeqCst), 2);
        for at in 0..3 * MAX_ABSENT {
            find(&at.to_string()).await;
        }
        assert!(book.absent.lock().len() <= MAX_ABSENT);
    }

    #[tokio::test]
    async fn a_failed_question_leaves_nothing_behind() {
        let (book, _clock) = book();
        let failed = book.find(key("a"), async || Err(Problem::internal())).await;
        assert!(failed.is_err());
        assert!(book.asking.lock().is_empty());
        let found = book.find(key("a"), async || Ok(Some(Form::default()))).await;
        assert!(found.unwrap().is_some());
    }

    #[tokio::test]
    async fn posts_count_on_when_the_form_is_asked_for_again() {
        let (book, clock) = book();
        let form = Form {
            posts_per_minute: 60,
            ..Form::default()
        };
        let take_all = async || {
            let known = book
                .find(key("a"), async || Ok(Some(form.clone())))
                .await
                .unwrap()
                .unwrap();
            (0..100).filter(|_| book.take(&known).is_ok()).count()
        };
        assert_eq!(take_all().await, 60);
        clock.advance(FRESH);
        assert_eq!(take_all().await, 30, "half a minute later, half a minute's worth");
    }
}
