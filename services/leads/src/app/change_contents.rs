//! Lets many leads say something else, with all that follows: calculated values, another comparison, another look at those that wait, facts.

use std::sync::Arc;

use reflex_pg::DbError;
use reflex_proto::leads::v1::LeadUpdated;
use reflex_runtime::telemetry;
use reflex_tenancy::TenantId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{App, lead_facts};
use crate::{
    domain::{
        calculated::Entity,
        decision::{QueueReason, Trigger},
        ids::{ImportId, LeadId},
        lead::State,
        merge::Content,
    },
    events::{self, Facts},
    setup::Setup,
    store::{
        accounts,
        calculated_values::{self, RecordValues},
        duplicates::index,
        known_leads,
        leads::{self, LeadRow},
        reroute,
    },
};

/// What a lead says from now on.
pub(super) struct NewContent {
    pub(super) lead: Uuid,
    pub(super) content: Content,
    /// The fields that say something else than before.
    pub(super) fields: Vec<String>,
}

/// Why leads say something else.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cause {
    pub(super) import: ImportId,
    /// Whether the import's change is taken back.
    pub(super) taken_back: bool,
}

impl App {
    /// Changes what locked leads say. The setup must be held.
    pub(super) async fn change_contents(
        &self,
        tx: &mut PgConnection,
        tenant: &TenantId,
        setup: &Setup,
        contents: Vec<NewContent>,
        cause: Cause,
    ) -> Result<(), DbError> {
        if contents.is_empty() {
            return Ok(());
        }
        let facts = Facts {
            tenant,
            ids: &self.ids,
            time: self.clock.now(),
        };
        let traceparent = telemetry::current_traceparent();
        let mut told = Vec::with_capacity(contents.len());
        let mut said = Vec::with_capacity(contents.len());
        for new in contents {
            let lead = LeadId(new.lead);
            let message = LeadUpdated {
                lead: lead.to_string(),
                import: cause.import.to_string(),
                fields: new.fields,
                taken_back: cause.taken_back,
            };
            told.push(facts.fact(events::LEAD_UPDATED, &lead, traceparent.clone(), &message));
            said.push((new.lead, new.content));
        }
        known_leads::set_contents(tx, tenant, &said).await?;
        let ids: Vec<LeadId> = said.iter().map(|(lead, _)| LeadId(*lead)).collect();
        let rows = leads::list_for_update(tx, tenant, &ids).await?;
        self.calculate_anew(tx, tenant, setup, &rows).await?;
        if !setup.duplicates.disabled {
            let changed: Vec<Uuid> = said.iter().map(|(lead, _)| *lead).collect();
            index::request(tx, tenant, &changed).await?;
        }
        let waits = |row: &&LeadRow| {
            row.state() == State::Queued && row.queue_reason.as_deref() != Some(QueueReason::Pooled.as_str())
        };
        let waiting: Vec<Uuid> = rows.iter().filter(waits).map(|row| row.lead_id).collect();
        if !waiting.is_empty() {
            reroute::request_leads(tx, tenant, Trigger::DirectoryChanged, &waiting).await?;
        }
        reflex_events::outbox::push(tx, &told).await
    }

    /// Calculates the fields of leads anew that have calculated ones; routing does that for those it has not seen yet.
    async fn calculate_anew(
        &self,
        tx: &mut PgConnection,
        tenant: &TenantId,
        setup: &Setup,
        rows: &[LeadRow],
    ) -> Result<(), DbError> {
        let definitions = setup.fields.definitions(Entity::Lead);
        let rows: Vec<&LeadRow> = rows.iter().filter(|row| row.calculated.is_some()).collect();
        if definitions.is_empty() || rows.is_empty() {
            return Ok(());
        }
        let mut keys: Vec<&str> = rows.iter().map(|row| row.account.as_str()).collect();
        keys.sort_unstable();
        keys.dedup();
        let customers = accounts::get_known(tx, tenant, &keys).await?;
        let context = setup.context(self.clock.now());
        let values = |row: &&LeadRow| {
            let customer = customers.get(&row.account).cloned().map(Arc::new);
            let outcomes = setup
                .fields
                .complete(&mut lead_facts::full(row, customer.as_ref()), &context);
            let values = RecordValues::new(row.lead_id.to_string(), definitions, &outcomes);
            (row.lead_id, values)
        };
        let values: Vec<_> = rows.iter().map(values).collect();
        calculated_values::save_leads(tx, tenant, &values).await
    }
}
