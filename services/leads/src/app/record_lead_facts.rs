//! Keeping what other systems saw of a lead, and giving it the tags that rules give for that.

use reflex_pg::once::{self, Once};
use reflex_proto::leads::v1::{RecordLeadFactsRequest, RecordLeadFactsResponse};
use reflex_rpc::{identity::Caller, request_id::RequestId};
use reflex_tenancy::TenantSet;

use super::{
    App,
    claim_lead::{lead_name, lock},
    gate::{Cause, GateDue},
    tagging::Occasion,
};
use crate::{
    convert,
    domain::{lead::State, lead_fact::LeadFact},
    error::Error,
    store::lead_facts,
};

impl App {
    /// Keeps facts about a lead, once.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::NotFound`], [`Error::RequestIdReused`].
    pub(crate) async fn record_lead_facts(
        &self,
        caller: &Caller,
        request: &RecordLeadFactsRequest,
    ) -> Result<RecordLeadFactsResponse, Error> {
        let id = lead_name("lead", &request.lead)?;
        let raw = convert::tags::raw_facts(&request.facts).map_err(|violation| vec![violation])?;
        let now = self.clock.now();
        let facts = LeadFact::parse_all(&raw, now)?;
        let request_id = RequestId::parse(&request.request_id)?;
        let tenant = &caller.tenant;
        let mut tx = self.db.begin("record_lead_facts", &TenantSet::one(tenant)).await?;
        let claim = match once::claim(&mut tx, tenant, "record_lead_facts", request_id, request).await? {
            Once::Answered(response) => return Ok(response),
            Once::New(claim) => claim,
        };
        let lead = lock(&mut tx, caller, id).await?;
        let written = lead_facts::insert(&mut tx, tenant, id, &facts, now).await?;
        let new = facts.iter().filter(|fact| written.contains(&fact.id));
        let new: Vec<Occasion<'_>> = new
            .map(|fact| Occasion {
                kind: &fact.kind,
                evidence: format!("leadFacts/{}", fact.id),
            })
            .collect();
        let tags = self.apply_tag_rules(&mut tx, tenant, &lead, &new).await?;
        let count = |number: usize| i32::try_from(number).expect("a call has few facts");
        if !new.is_empty() && matches!(lead.state(), State::Held | State::Nurture) {
            let cause = Cause::Facts;
            let look = GateDue { lead: id, cause }.timer(tenant, self.ids.next(), now);
            reflex_timers::set(&mut tx, &[look]).await?;
        }
        let response = RecordLeadFactsResponse {
            recorded_count: count(written.len()),
            existed_count: count(facts.len() - written.len()),
            tags,
        };
        claim.answer(&mut tx, &response).await?;
        tx.commit().await?;
        self.intake.wake(tenant);
        self.timers.wake();
        Ok(response)
    }
}
