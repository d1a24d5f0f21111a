//! Stores leads: concurrent captures share one transaction, and each is answered after its commit.

use jiff::Timestamp;
use reflex_pg::{Database, DbError, batcher::Work};
use reflex_runtime::{clock::SharedClock, ids::SharedIds, telemetry};
use reflex_tenancy::{TenantId, TenantSet};
use sha2::{Digest, Sha256};
use tracing::warn;
use uuid::Uuid;

use super::{App, IntakeWake};
use crate::{
    domain::new_lead::NewLead,
    error::Error,
    store::capture::{self, Key, NewRow, Stored},
};

/// One lead on its way into a batch.
#[derive(Debug, Clone)]
pub(crate) struct Capture {
    tenant: TenantId,
    lead: NewLead,
    request_id: Option<Uuid>,
    payload_hash: [u8; 32],
    traceparent: Option<String>,
}

/// What a capture's caller is told.
#[derive(Debug, Clone)]
pub(crate) struct Captured {
    /// The lead.
    pub(crate) lead_id: Uuid,
    /// Its number.
    pub(crate) number: i64,
    /// When it was stored.
    pub(crate) create_time: Timestamp,
    /// Whether an earlier call had stored it.
    pub(crate) existed: bool,
}

pub(crate) type Outcome = Result<Captured, Failure>;

/// Why a lead of a batch was not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    RequestIdReused,
    Unavailable,
    Defect,
}

impl App {
    /// Stores a lead, once.
    ///
    /// # Errors
    /// [`Error::RequestIdReused`], [`Error::Overloaded`], [`Error::Database`].
    pub(crate) async fn capture_lead(
        &self,
        tenant: TenantId,
        lead: NewLead,
        request_id: Option<Uuid>,
    ) -> Result<Captured, Error> {
        let payload_hash = fingerprint(&lead);
        self.capture(tenant, lead, request_id, payload_hash).await
    }

    /// Stores a lead whose request has this hash, once.
    pub(crate) async fn capture(
        &self,
        tenant: TenantId,
        lead: NewLead,
        request_id: Option<Uuid>,
        payload_hash: [u8; 32],
    ) -> Result<Captured, Error> {
        let traceparent = telemetry::current_traceparent();
        let capture = Capture {
            tenant,
            lead,
            request_id,
            payload_hash,
            traceparent,
        };
        Ok(self.captures.call(capture).await??)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::RequestIdReused => Self::RequestIdReused,
            Failure::Unavailable => DbError::Unavailable(sqlx::Error::PoolTimedOut).into(),
            Failure::Defect => Self::Database(DbError::Statement(sqlx::Error::WorkerCrashed)),
        }
    }
}

/// Writes batches of captures.
pub(crate) struct CaptureBatches {
    pub(crate) db: Database,
    pub(crate) clock: SharedClock,
    pub(crate) ids: SharedIds,
    pub(crate) intake: IntakeWake,
}

impl Work<Capture, Outcome> for CaptureBatches {
    async fn work(&mut self, captures: Vec<Capture>) -> Vec<Outcome> {
        let rows: Vec<NewRow> = captures.into_iter().map(|capture| self.row(capture)).collect();
        let outcomes = match self.store(&rows).await {
            Ok(outcomes) => outcomes,
            // Never let one lead keep the others of its batch out.
            Err(error) if rows.len() > 1 && !matches!(error, DbError::Unavailable(_)) => {
                warn!(%error, leads = rows.len(), "a batch of captures failed, its leads are stored one by one");
                let mut outcomes = Vec::with_capacity(rows.len());
                for row in &rows {
                    match self.store(std::slice::from_ref(row)).await {
                        Ok(outcome) => outcomes.extend(outcome),
                        Err(error) => outcomes.push(Err(failure(&error))),
                    }
                }
                outcomes
            }
            Err(error) => vec![Err(failure(&error)); rows.len()],
        };
        // Routing wakes the relay, which then takes both facts at once; where another replica routes, it looks by itself.
        for row in &rows {
            self.intake.wake(&row.tenant);
        }
        outcomes
    }
}

impl CaptureBatches {
    fn row(&self, capture: Capture) -> NewRow {
        NewRow {
            lead_id: self.ids.next(),
            event_id: self.ids.next(),
            tenant: capture.tenant,
            lead: capture.lead,
            request_id: capture.request_id,
            payload_hash: capture.payload_hash,
            traceparent: capture.traceparent,
            create_time: self.clock.now(),
            from_file: false,
        }
    }

    async fn store(&self, rows: &[NewRow]) -> Result<Vec<Outcome>, DbError> {
        let written = capture::insert_alone(&self.db, rows).await?;
        let earlier = if written.len() < rows.len() {
            let tenants: TenantSet = rows.iter().map(|row| row.tenant.clone()).collect();
            let mut tx = self.db.begin("list_earlier_leads", &tenants).await?;
            let keys: Vec<Key<'_>> = rows.iter().map(NewRow::key).collect();
            let earlier = capture::list_earlier(&mut tx, &keys).await?;
            tx.commit().await?;
            earlier
        } else {
            Vec::new()
        };
        Ok(rows.iter().map(|row| answer(row, &written, &earlier)).collect())
    }
}

fn answer(row: &NewRow, written: &std::collections::HashMap<Uuid, i64>, earlier: &[Stored]) -> Outcome {
    if let Some(&number) = written.get(&row.lead_id) {
        return Ok(Captured {
            lead_id: row.lead_id,
            number,
            create_time: row.create_time,
            existed: false,
        });
    }
    // A conflict with a row that cannot be found again would be a defect of the schema.
    recognise(&row.key(), earlier).unwrap_or(Err(Failure::Defect))
}

/// Returns what the caller of a repeated capture is told; `None` when it is the first of its kind.
pub(crate) fn recognise(key: &Key<'_>, earlier: &[Stored]) -> Option<Outcome> {
    let same_request = |stored: &&Stored| {
        stored.tenant == *key.tenant && key.request_id.is_some() && stored.request_id == key.request_id
    };
    let same_source = |stored: &&Stored| {
        stored.tenant == *key.tenant
            && stored.source == key.source
            && !key.external_id.is_empty()
            && stored.external_id.as_deref() == Some(key.external_id)
    };
    let found = match earlier.iter().find(same_request) {
        Some(stored) if stored.payload_hash != key.payload_hash => return Some(Err(Failure::RequestIdReused)),
        Some(stored) => Some(stored),
        None => earlier.iter().find(same_source),
    };
    found.map(|stored| {
        Ok(Captured {
            lead_id: stored.lead_id,
            number: stored.number,
            create_time: stored.create_time,
            existed: true,
        })
    })
}

fn failure(error: &DbError) -> Failure {
    match error {
        DbError::Unavailable(_) | DbError::Conflict(_) => Failure::Unavailable,
        _ => {
            tracing::error!(%error, cause = ?std::error::Error::source(error), "a lead could not be stored");
            Failure::Defect
        }
    }
}

/// Hashes what a lead says, so that the same request id with another lead is noticed.
pub(super) fn fingerprint(lead: &NewLead) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut add = |bytes: &[u8]| {
        hash.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes());
        hash.update(bytes);
    };
    let form = lead.form.as_ref().map(ToString::to_string).unwrap_or_default();
    for text in [
        &lead.source,
        &lead.external_id,
        &lead.company,
        &lead.contact_name,
        &lead.phone,
        &lead.email,
        &lead.territory,
        &lead.product,
        &lead.remark,
        &lead.account,
        &form,
    ] {
        add(text.as_bytes());
    }
    add(&[lead.urgency.map_or(0, |urgency| urgency as u8 + 1)]);
    add(&lead.budget_min_fen.to_le_bytes());
    add(&lead.budget_max_fen.to_le_bytes());
    for (name, value) in &lead.attributes {
        add(name.as_bytes());
        add(value.as_bytes());
    }
    add(&lead.raw_payload);
    hash.finalize().into()
}
