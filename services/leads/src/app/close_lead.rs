//! Closing a lead, which makes room for another.

use reflex_pg::once::{self, Once};
use reflex_proto::leads::v1::{CloseLeadRequest, CloseLeadResponse, LeadClosed};
use reflex_rpc::{identity::Caller, request_id::RequestId};
use reflex_tenancy::TenantSet;

use super::{
    App,
    claim_lead::{lead_name, lock},
};
use crate::{
    convert::{self, OUTCOMES},
    domain::{decision::Trigger, ids::MemberId, lead::State},
    error::Error,
    events,
    store::{history, leads, reroute},
};

impl App {
    /// Closes a lead.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::WrongState`] when it is closed already, [`Error::Violations`].
    pub(crate) async fn close_lead(
        &self,
        caller: &Caller,
        request: &CloseLeadRequest,
    ) -> Result<CloseLeadResponse, Error> {
        let id = lead_name("name", &request.name)?;
        let request_id = RequestId::parse(&request.request_id)?;
        let outcome = convert::domain_of(&OUTCOMES, request.outcome)
            .ok_or_else(|| Error::invalid("outcome", "must be CONVERTED, LOST or INVALID"))?;
        if request.reason.chars().count() > 500 {
            return Err(Error::invalid("reason", "must be at most 500 characters"));
        }
        let (tenant, now) = (&caller.tenant, self.clock.now());
        let mut tx = self.db.begin("close_lead", &TenantSet::one(tenant)).await?;
        let claimed = match once::claim(&mut tx, tenant, "CloseLead", request_id, request).await? {
            Once::Answered(response) => return Ok(response),
            Once::New(claim) => claim,
        };
        let lead = lock(&mut tx, caller, id).await?;
        if !lead.state().may_become(State::Closed) {
            return Err(Error::WrongState(format!("the lead is {}", lead.state().as_str())));
        }
        leads::set_closed(&mut tx, tenant, id, outcome, now).await?;
        if lead.state().is_owned()
            && let Some(owner) = lead.owner()
        {
            leads::add_open_leads(&mut tx, tenant, &owner, -1).await?;
            reroute::request(&mut tx, tenant, Trigger::CapacityFreed, lead.team().as_ref()).await?;
        }
        let member: Option<MemberId> = caller.member.as_deref().and_then(|name| name.parse().ok());
        let detail = format!("{outcome}: {}", request.reason);
        history::add(&mut tx, tenant, &[self.entry(&lead, "closed", member.clone(), detail)]).await?;
        let told = LeadClosed {
            lead: id.to_string(),
            member: member.map(|member| member.to_string()).unwrap_or_default(),
            outcome: outcome.to_owned(),
        };
        self.tell(&mut tx, caller, events::LEAD_CLOSED, id, &told).await?;
        let response = CloseLeadResponse {
            lead: Some(self.shown(&mut tx, caller, id).await?),
        };
        claimed.answer(&mut tx, &response).await?;
        tx.commit().await?;
        self.relay.wake();
        self.intake.wake(tenant);
        Ok(response)
    }
}
