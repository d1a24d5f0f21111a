//! Sends one message of a channel: reserves budget for it (`reserve`), carries it to the provider outside any transaction,
//! and writes down what became of it (`record`).
//!
//! At least once: whoever dies between the provider's answer and the commit lets the message be sent again when its hold
//! is over. The row of the ledger is never doubled.

mod quota;
mod record;
mod reserve;

use std::{sync::Arc, time::Duration};

use jiff::{Timestamp, tz::TimeZone};
use opentelemetry::metrics::Counter;
use reflex_events::RelayWake;
use reflex_pg::{Database, DbError};
use reflex_runtime::{clock::SharedClock, ids::SharedIds, telemetry};
use reflex_sealing::{SealError, Sealer};
use reflex_tenancy::TenantId;
use tracing::{Instrument, info_span};
use uuid::Uuid;

use super::settings::SettingsCache;
use crate::{
    channels::{Endpoint, Providers, Rendered},
    domain::{action_link::Links, budget::LATEST_START, channel::Kind, message::Class},
};
use quota::Counted;
use record::Verdict;
use reserve::Reservation;

/// How often an outcome is written anew while the database is away, and how long to wait in between: a message whose
/// outcome is lost goes out twice.
const RECORD_TRIES: u32 = 8;
const RECORD_WAIT: Duration = Duration::from_millis(250);

/// What a sender works with.
pub struct SenderParts {
    /// The service's database.
    pub database: Database,
    /// Tells when.
    pub clock: SharedClock,
    /// Gives digests, reservations and events their ids.
    pub ids: SharedIds,
    /// Opens channels' secrets.
    pub sealer: Sealer,
    /// Carry messages.
    pub providers: Providers,
    /// Makes the links of messages; none where they have none.
    pub links: Option<Arc<Links>>,
    /// Words of digests.
    pub settings: Arc<SettingsCache>,
    /// Zone in which months begin.
    pub zone: TimeZone,
    /// Wakes the relay after a commit with events in it.
    pub relay_wake: RelayWake,
}

/// Sends messages.
pub struct Sender {
    parts: SenderParts,
    outcomes: Counter<u64>,
    merged: Counter<u64>,
}

/// What came of looking for something to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A message was sent, or found to be settled: look again.
    Went,
    /// There is nothing to send before these times; none means not before something new comes.
    Rest(Rest),
}

/// Until when a channel has nothing to send, by class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rest {
    /// For escalations.
    pub escalations: Option<Timestamp>,
    /// For assignments.
    pub assignments: Option<Timestamp>,
}

impl Rest {
    /// Rests in both classes.
    #[must_use]
    pub fn until(time: Timestamp) -> Self {
        Self {
            escalations: Some(time),
            assignments: Some(time),
        }
    }
}

/// A send failed on our side.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] DbError),
    /// The channel's secrets do not open.
    #[error("the channel is unusable")]
    Seal(#[from] SealError),
}

/// A message that may be sent now.
struct Reserved {
    tenant: TenantId,
    channel: String,
    kind: Kind,
    message: Uuid,
    class: Class,
    rendered: Rendered,
    endpoint: Endpoint,
    reservation: Uuid,
    counted: Counted,
    traceparent: Option<String>,
    since: Timestamp,
}

impl Sender {
    /// Makes a sender.
    #[must_use]
    pub fn new(parts: SenderParts) -> Self {
        let meter = telemetry::meter();
        Self {
            parts,
            outcomes: meter.u64_counter("notification.attempts").build(),
            merged: meter.u64_counter("notification.merged").build(),
        }
    }

    /// Sends the next message of a channel, if its budget allows one.
    ///
    /// # Errors
    /// When the database fails or the channel's secrets do not open.
    pub async fn send_next(&self, tenant: &TenantId, channel: &str) -> Result<Step, SendError> {
        let reserved = match self.reserve(tenant, channel).await? {
            Reservation::Granted(reserved) => reserved,
            Reservation::Gone => return Ok(Step::Went),
            Reservation::Refused(rest) => return Ok(Step::Rest(rest)),
        };
        let span = info_span!("send_message", tenant = %tenant, channel, message = %reserved.message);
        if let Some(traceparent) = &reserved.traceparent {
            telemetry::set_parent(&span, traceparent);
        }
        self.send(&reserved).instrument(span).await?;
        Ok(Step::Went)
    }

    async fn send(&self, reserved: &Reserved) -> Result<(), DbError> {
        let start = self.parts.clock.now();
        if start.duration_since(reserved.since) > LATEST_START {
            return self.give_back(reserved).await;
        }
        let provider = self.parts.providers.of(reserved.kind);
        let outcome = provider.send(&reserved.endpoint, &reserved.rendered).await;
        let answer_time = self.parts.clock.now();
        let verdict = Verdict::of(outcome, answer_time, answer_time.duration_since(start));
        let mut tries = 1;
        loop {
            match self.record(reserved, &verdict).await {
                Err(DbError::Unavailable(_) | DbError::Conflict(_)) if tries < RECORD_TRIES => {
                    tries += 1;
                    tokio::time::sleep(RECORD_WAIT).await;
                }
                outcome => return outcome,
            }
        }
    }
}
