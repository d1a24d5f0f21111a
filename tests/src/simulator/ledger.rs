//! What was accepted, and how often something was refused.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// A message a provider accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Which provider took it: `dingtalk`, `wecom`, `feishu`, `webhook`, `dingtalk_notice`, `wecom_app` or `sms`.
    pub provider: String,
    /// The robot's token or key, the token of a receiver of webhooks, an application's user or the key of an account.
    pub token: String,
    pub time: Timestamp,
    pub title: String,
    pub text: String,
    /// The mobiles called by name.
    pub mobiles: Vec<String>,
    pub everyone: bool,
    /// The W3C trace header of the request.
    pub traceparent: Option<String>,
}

/// Counts since the start, of one robot or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    pub accepted: u64,
    /// Refused with a business code, those beyond the limit included.
    pub rejected: u64,
    /// Refused because of the limit or the lock that follows.
    pub limited: u64,
    /// How often a robot was locked.
    pub locks: u64,
    /// Accepted messages that say the same as an earlier one of that robot.
    pub duplicates: u64,
    /// Calls that met a scripted fault.
    pub faults: u64,
}

impl Stats {
    fn add(&mut self, other: &Self) {
        self.accepted += other.accepted;
        self.rejected += other.rejected;
        self.limited += other.limited;
        self.locks += other.locks;
        self.duplicates += other.duplicates;
        self.faults += other.faults;
    }
}

/// All messages and counts of a simulator.
#[derive(Default)]
pub(super) struct Ledger(Mutex<Book>);

#[derive(Default)]
struct Book {
    messages: Vec<Message>,
    by_token: BTreeMap<String, Stats>,
    seen: HashSet<(String, String)>,
}

impl Ledger {
    pub(super) fn accept(&self, message: Message) {
        let mut book = self.0.lock();
        let seen_first = book.seen.insert((message.token.clone(), message.text.clone()));
        let stats = book.by_token.entry(message.token.clone()).or_default();
        stats.accepted += 1;
        stats.duplicates += u64::from(!seen_first);
        book.messages.push(message);
    }

    /// Changes the counts of one robot.
    pub(super) fn count(&self, token: &str, change: impl FnOnce(&mut Stats)) {
        change(self.0.lock().by_token.entry(token.to_owned()).or_default());
    }

    pub(super) fn messages(&self, token: Option<&str>) -> Vec<Message> {
        let book = self.0.lock();
        let wanted = |message: &&Message| token.is_none_or(|token| message.token == token);
        book.messages.iter().filter(wanted).cloned().collect()
    }

    pub(super) fn stats(&self, token: Option<&str>) -> Stats {
        let book = self.0.lock();
        if let Some(token) = token {
            return book.by_token.get(token).copied().unwrap_or_default();
        }
        let mut total = Stats::default();
        for stats in book.by_token.values() {
            total.add(stats);
        }
        total
    }
}
