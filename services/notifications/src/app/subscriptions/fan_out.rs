//! From a fact to its deliveries: one row for each subscription that wants it, in the transaction that remembers the fact as
//! applied.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use reflex_events::Envelope;
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::PgConnection;

use super::listeners::{Listeners, Said};
use crate::{
    store::subscription_events::{self, NewEvents},
    wake::Wake,
};

/// Facts after which nothing may be kept of what was said about their subject.
const FORGETTING: [&str; 2] = ["reflex.leads.v1.SubjectErased", "reflex.leads.v1.LeadWithdrawn"];

/// Hands facts on to subscriptions.
pub struct FanOut {
    listeners: Arc<Listeners>,
    wake: Wake,
    /// Whether something was written since senders were last woken.
    written: AtomicBool,
}

impl FanOut {
    /// Hands on to these listeners, and wakes those who send.
    #[must_use]
    pub fn new(listeners: Arc<Listeners>, wake: Wake) -> Self {
        Self {
            listeners,
            wake,
            written: AtomicBool::new(false),
        }
    }

    /// Tells whether an event concerns a subscription: one look into memory.
    #[must_use]
    pub fn wants(&self, tenant: &TenantId, kind: &str) -> bool {
        self.listeners.wanted(tenant, kind).is_some()
    }

    /// Writes the deliveries of events, in their order; what was kept about erased subjects goes.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn write(&self, tx: &mut PgConnection, events: &[Envelope]) -> Result<(), DbError> {
        let forgotten: Vec<(TenantId, String)> = events
            .iter()
            .filter(|event| FORGETTING.contains(&event.kind.as_str()))
            .map(|event| (event.tenant.clone(), event.subject.clone()))
            .collect();
        if !forgotten.is_empty() {
            subscription_events::forget(tx, &forgotten, &FORGETTING).await?;
        }
        let mut new = NewEvents::default();
        let context = self.listeners.context();
        for (at, event) in events.iter().enumerate() {
            let Some(entry) = self.listeners.wanted(&event.tenant, &event.kind) else {
                continue;
            };
            if is_forgotten_by(&events[at..], event) {
                continue;
            }
            let Some(listeners) = self.listeners.of(&event.tenant) else {
                continue;
            };
            let asked = listeners.iter().any(|listener| listener.asks());
            // Bytes that are no message of theirs say nothing; every filter finds blanks.
            let data = asked
                .then(|| entry.data(&event.data, true))
                .flatten()
                .unwrap_or_default();
            let said = Said {
                event_type: &entry.name,
                subject: &event.subject,
                data: &data,
            };
            let hearing = listeners.iter().filter(|listener| listener.hears(said, &context));
            new.push(event, hearing.map(|listener| listener.name.clone()));
        }
        if subscription_events::write(tx, &new, self.listeners.now()).await? {
            self.written.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Called after the commit: wakes those who send, if there is something to send.
    pub fn written(&self) {
        if self.written.swap(false, Ordering::Relaxed) {
            self.wake.wake();
        }
    }
}

/// Tells whether a later event of the batch says that nothing may be kept about the subject of this one.
fn is_forgotten_by(rest: &[Envelope], event: &Envelope) -> bool {
    let forgets = |kind: &str| FORGETTING.contains(&kind);
    !forgets(&event.kind)
        && rest
            .iter()
            .any(|later| forgets(&later.kind) && later.tenant == event.tenant && later.subject == event.subject)
}
