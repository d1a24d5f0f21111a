//! What is at hand of one subscription: what is due in order, which subjects are under way, how the endpoint does. No database, no
//! network.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use jiff::Timestamp;

use super::{attempt::Keychain, state_of};
use crate::{
    domain::subscription::{Outcome, State, health::Health, retry::MAX_FAILURES},
    store::dispatching::{Due, Judged, Key, Sealed},
};

/// Most of one subscription that is at hand.
pub(super) const PAGE: usize = 128;
/// Most attempts under way at one endpoint.
pub(super) const IN_FLIGHT: usize = 16;

/// One attempt to make.
pub(super) struct Job {
    pub(super) key: Key,
    pub(super) due: Due,
    pub(super) keychain: Arc<Keychain>,
}

/// What is at hand of one subscription.
#[derive(Default)]
pub(super) struct Line {
    keychain: Option<Arc<Keychain>>,
    version: i64,
    health: Health,
    gone: bool,
    /// Whether what the endpoint's answers say about it is written down.
    pub(super) is_judged: bool,
    queue: BTreeMap<i64, Due>,
    /// Whether so much was read that there may be more.
    may_have_more: bool,
    /// Under way, or ended and not written down yet.
    taken: HashSet<i64>,
    in_flight: usize,
    /// Subjects under way.
    busy: HashSet<String>,
    /// Subjects whose last attempt failed, with its event: their next one may only go once that is written down.
    blocked: Vec<(i64, String)>,
}

impl Line {
    /// Returns the version of the subscription it sends to.
    pub(super) fn version(&self) -> Option<i64> {
        self.keychain.as_ref().map(|_| self.version)
    }

    /// Sends to the subscription as it is now.
    pub(super) fn turn_to(&mut self, keychain: Arc<Keychain>, sealed: &Sealed) {
        self.keychain = Some(keychain);
        self.version = sealed.version;
        self.health = sealed.health;
        (self.gone, self.is_judged) = (false, true);
    }

    /// Takes in what is due, but nothing behind a failure that is not written down yet.
    pub(super) fn add(&mut self, items: Vec<Due>) {
        if self.gone {
            return;
        }
        self.may_have_more = items.len() >= PAGE / 2;
        for due in items {
            let is_blocked = self.blocked.iter().any(|(_, subject)| *subject == due.subject);
            if !is_blocked && !self.taken.contains(&due.sequence) {
                self.queue.insert(due.sequence, due);
            }
        }
    }

    /// Takes the next attempt that may be made now: the first in order whose subject is not under way.
    pub(super) fn next(&mut self, key: &Key, now: Timestamp) -> Option<Job> {
        let most = if self.health.is_open() { 1 } else { IN_FLIGHT };
        if self.in_flight >= most || self.gone || self.health.rests(now) {
            return None;
        }
        let keychain = Arc::clone(self.keychain.as_ref()?);
        let free = |(_, due): &(&i64, &Due)| !self.busy.contains(&due.subject);
        let sequence = *self.queue.iter().find(free)?.0;
        let due = self.queue.remove(&sequence)?;
        self.busy.insert(due.subject.clone());
        self.taken.insert(sequence);
        self.in_flight += 1;
        Some(Job {
            key: key.clone(),
            due,
            keychain,
        })
    }

    /// Counts what an attempt came to; returns whether the endpoint is back after it had been given single probes.
    pub(super) fn finish(&mut self, due: &Due, outcome: &Outcome, now: Timestamp, spread: u64) -> bool {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.busy.remove(&due.subject);
        let before = self.health;
        let mut is_back = false;
        match outcome {
            Outcome::Delivered => is_back = self.health.succeed(now),
            Outcome::Gone => {
                self.gone = true;
                self.is_judged = false;
            }
            Outcome::RetryLater(asked) => {
                self.health.fail(now, spread, *asked);
                if due.failures + 1 < MAX_FAILURES {
                    self.blocked.push((due.sequence, due.subject.clone()));
                    self.queue.retain(|_, later| later.subject != due.subject);
                }
            }
        }
        if self.gone || self.health.rests(now) {
            // Nobody waits here for what may take hours.
            self.queue.clear();
        }
        self.is_judged &= self.health == before;
        is_back
    }

    /// Returns what is to be written about the endpoint, once.
    pub(super) fn judged(&mut self, key: &Key, why_gone: &'static str) -> Option<Judged> {
        if self.is_judged || self.keychain.is_none() {
            return None;
        }
        self.is_judged = true;
        let state = state_of(self.gone);
        Some(Judged {
            key: key.clone(),
            version: self.version,
            health: self.health,
            state,
            reason: if state == State::Disabled { why_gone } else { "" },
        })
    }

    /// Lets go of an event whose outcome is written down.
    pub(super) fn let_go(&mut self, sequence: i64) {
        self.taken.remove(&sequence);
        self.blocked.retain(|(blocked, _)| *blocked != sequence);
    }

    /// Forgets what is not under way; it is read again.
    pub(super) fn put_back(&mut self) {
        self.queue.clear();
        self.may_have_more = true;
    }

    /// Returns the events at hand.
    pub(super) fn held(&self) -> Vec<i64> {
        self.queue.keys().chain(&self.taken).copied().collect()
    }

    /// Returns whether more is to be read: there may be some, and there is room.
    pub(super) fn wants_more(&self) -> bool {
        self.may_have_more && self.queue.len() < PAGE / 4
    }

    /// Returns whether nothing is at hand and everything is written down.
    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.taken.is_empty() && self.is_judged
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use reflex_sealing::Sealer;
    use uuid::Uuid;

    use super::*;
    use crate::{app::subscriptions::dispatch::place, domain::subscription::health::BREAKER_FAILURES};

    fn key() -> Key {
        ("huadong".parse().unwrap(), "subscriptions/mes".to_owned())
    }

    fn now() -> Timestamp {
        "2026-03-02T01:00:00Z".parse().unwrap()
    }

    fn line(health: Health, subjects: &[&str]) -> Line {
        let sealer = Sealer::new(&"0123456789abcdef0123456789abcdef".into()).unwrap();
        let (tenant, name) = key();
        let seal = |part, text| sealer.seal(place(&tenant, &name, part), text).unwrap();
        let stored = Sealed {
            endpoint: seal("endpoint", "https://hooks.example/"),
            secret: seal("secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
            former: None,
            personal_data: false,
            health,
            version: 1,
        };
        let mut line = Line::default();
        line.turn_to(Arc::new(Keychain::open(&sealer, &key(), &stored).unwrap()), &stored);
        line.add(items(1, subjects));
        line
    }

    fn items(first: i64, subjects: &[&str]) -> Vec<Due> {
        let due = |(sequence, subject): (i64, &&str)| Due {
            sequence,
            event: Uuid::nil(),
            subject: (*subject).to_owned(),
            attempts: 0,
            failures: 0,
            kind: String::new(),
            time: now(),
            data: Vec::new(),
        };
        (first..).zip(subjects).map(due).collect()
    }

    fn next(line: &mut Line) -> Option<i64> {
        line.next(&key(), now()).map(|job| job.due.sequence)
    }

    #[test]
    fn a_subject_has_one_event_under_way_and_others_do_not_wait_for_it() {
        let mut line = line(Health::default(), &["a", "a", "b", "a"]);
        assert_eq!(
            [next(&mut line), next(&mut line), next(&mut line)],
            [Some(1), Some(3), None]
        );
        let first = &items(1, &["a"])[0];
        assert!(!line.finish(first, &Outcome::Delivered, now(), 20));
        assert_eq!([next(&mut line), next(&mut line)], [Some(2), None]);
        assert!(!line.is_idle());
        assert_eq!(line.held().len(), 4, "what is not written down is not read again");
    }

    #[test]
    fn nothing_goes_behind_a_failure_that_is_not_written_down() {
        let mut line = line(Health::default(), &["a", "a", "b"]);
        assert_eq!(next(&mut line), Some(1));
        line.finish(&items(1, &["a"])[0], &Outcome::RetryLater(None), now(), 20);
        line.add(items(2, &["a"]));
        assert_eq!([next(&mut line), next(&mut line)], [Some(3), None]);
        line.let_go(1);
        line.add(items(2, &["a"]));
        assert_eq!(next(&mut line), Some(2));
    }

    #[test]
    fn a_failing_endpoint_gets_one_probe_and_a_gone_one_nothing() {
        let health = Health {
            failures: BREAKER_FAILURES,
            probe_time: Some(now()),
        };
        let mut line = line(health, &["a", "b", "c"]);
        assert_eq!([next(&mut line), next(&mut line)], [Some(1), None]);
        line.finish(&items(1, &["a"])[0], &Outcome::RetryLater(None), now(), 20);
        assert_eq!(next(&mut line), None, "it rests");
        let judged = line.judged(&key(), "gone").unwrap();
        assert_eq!(judged.health.failures, BREAKER_FAILURES + 1);
        assert_eq!(judged.state, State::Active);
        assert!(line.judged(&key(), "gone").is_none(), "it is said once");
        line.add(items(2, &["b", "c"]));
        let later = now() + SignedDuration::from_hours(1);
        let probe = line.next(&key(), later).unwrap();
        assert!(line.finish(&probe.due, &Outcome::Delivered, later, 20), "it is back");
        line.finish(&items(3, &["c"])[0], &Outcome::Gone, later, 20);
        line.add(items(4, &["d"]));
        assert!(line.next(&key(), later).is_none());
        assert_eq!(line.judged(&key(), "gone").unwrap().state, State::Disabled);
    }
}
