//! What was acknowledged to those who sent: the promises a run is held to.

use std::collections::HashMap;

use parking_lot::Mutex;
use tokio::sync::watch;

/// Promises, by the keys of the leads.
#[derive(Default)]
pub(crate) struct Ledger {
    leads: Mutex<HashMap<String, Option<LeadName>>>,
    calls: Mutex<HashMap<String, String>>,
    surprises: Mutex<Vec<String>>,
    acknowledged: watch::Sender<usize>,
}

/// What a lead was called in its acknowledgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LeadName {
    pub(crate) name: String,
    pub(crate) number: String,
}

impl Ledger {
    /// Notes that a lead was acknowledged; by name, unless it came in a stream.
    pub(crate) fn lead(&self, key: &str, name: Option<LeadName>) {
        let before = self.leads.lock().insert(key.to_owned(), name);
        assert!(before.is_none(), "{key} is sent until it is acknowledged, not longer");
        self.acknowledged.send_modify(|count| *count += 1);
    }

    /// Notes that the call of a lead was acknowledged, with the name of its record.
    pub(crate) fn call(&self, lead: &str, follow_up: String) {
        self.calls.lock().insert(lead.to_owned(), follow_up);
    }

    /// Notes an answer that nobody should have got.
    pub(crate) fn surprise(&self, what: String) {
        self.surprises.lock().push(what);
    }

    /// Waits until so many leads are acknowledged.
    pub(crate) async fn reached(&self, leads: usize) {
        let mut count = self.acknowledged.subscribe();
        count
            .wait_for(|count| *count >= leads)
            .await
            .expect("the ledger outlives whoever waits");
    }

    /// Returns the acknowledged leads by key.
    pub(crate) fn leads(&self) -> HashMap<String, Option<LeadName>> {
        self.leads.lock().clone()
    }

    /// Returns the names of the acknowledged records of calls, by name of their lead.
    pub(crate) fn calls(&self) -> HashMap<String, String> {
        self.calls.lock().clone()
    }

    /// Returns the answers nobody should have got.
    pub(crate) fn surprises(&self) -> Vec<String> {
        self.surprises.lock().clone()
    }
}
