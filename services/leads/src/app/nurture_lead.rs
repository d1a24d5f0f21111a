//! Sending a lead to the nurture pool, and bringing one back, by hand.

use reflex_pg::once::{self, Once};
use reflex_proto::leads::v1::{NurtureLeadRequest, NurtureLeadResponse, ReturnLeadRequest, ReturnLeadResponse};
use reflex_rpc::{identity::Caller, request_id::RequestId};
use reflex_runtime::telemetry;
use reflex_tenancy::TenantSet;

use super::{
    App,
    claim_lead::{lead_name, lock},
    gate_due::{Aside, Mover},
};
use crate::{
    domain::{decision::Trigger, ids::MemberId, lead::State},
    error::Error,
    store::running_clocks,
};

const MAX_REASON: usize = 500;

impl App {
    /// Brings a lead back that is kept from salespeople.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::WrongState`] when it is not kept, [`Error::Violations`].
    pub(crate) async fn return_lead(
        &self,
        caller: &Caller,
        request: &ReturnLeadRequest,
    ) -> Result<ReturnLeadResponse, Error> {
        let id = lead_name("name", &request.name)?;
        check_reason("reason", &request.reason)?;
        let request_id = RequestId::parse(&request.request_id)?;
        let tenant = &caller.tenant;
        let mut tx = self.db.begin("return_lead", &TenantSet::one(tenant)).await?;
        let claimed = match once::claim(&mut tx, tenant, "ReturnLead", request_id, request).await? {
            Once::Answered(response) => return Ok(response),
            Once::New(claim) => claim,
        };
        let lead = lock(&mut tx, caller, id).await?;
        if !lead.state().is_aside() {
            let state = lead.state().as_str();
            return Err(Error::WrongState(format!(
                "the lead is {state}, and not kept from salespeople"
            )));
        }
        let mover = Mover {
            tenant,
            lead: &lead,
            member: member(caller),
            traceparent: telemetry::current_traceparent(),
        };
        let detail = format!("from {}: {}", lead.state().as_str(), request.reason);
        self.return_lead_kept(&mut tx, &mover, Trigger::Returned, detail)
            .await?;
        let response = ReturnLeadResponse {
            lead: Some(self.shown(&mut tx, caller, id).await?),
        };
        claimed.answer(&mut tx, &response).await?;
        tx.commit().await?;
        self.relay.wake();
        self.intake.wake(tenant);
        Ok(response)
    }

    /// Sends a lead to the nurture pool.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::WrongState`] when it is closed or there already, [`Error::Violations`].
    pub(crate) async fn nurture_lead(
        &self,
        caller: &Caller,
        request: &NurtureLeadRequest,
    ) -> Result<NurtureLeadResponse, Error> {
        let id = lead_name("name", &request.name)?;
        check_reason("reason", &request.reason)?;
        let request_id = RequestId::parse(&request.request_id)?;
        let tenant = &caller.tenant;
        let mut tx = self.db.begin("nurture_lead", &TenantSet::one(tenant)).await?;
        let claimed = match once::claim(&mut tx, tenant, "NurtureLead", request_id, request).await? {
            Once::Answered(response) => return Ok(response),
            Once::New(claim) => claim,
        };
        let setup = self.setups.get(&mut tx, tenant).await?;
        // Its timers before the lead, as who fires one locks them.
        running_clocks::lock(&mut tx, tenant, &[id]).await?;
        let lead = lock(&mut tx, caller, id).await?;
        if !lead.state().may_become(State::Nurture) {
            return Err(Error::WrongState(format!("the lead is {}", lead.state().as_str())));
        }
        let mover = Mover {
            tenant,
            lead: &lead,
            member: member(caller),
            traceparent: telemetry::current_traceparent(),
        };
        self.take_aside(&mut tx, &setup, &mover, &Aside::Nurture("manual", &request.reason))
            .await?;
        let response = NurtureLeadResponse {
            lead: Some(self.shown(&mut tx, caller, id).await?),
        };
        claimed.answer(&mut tx, &response).await?;
        tx.commit().await?;
        self.relay.wake();
        self.intake.wake(tenant);
        Ok(response)
    }
}

/// Checks why somebody does something with a lead.
pub(crate) fn check_reason(field: &str, reason: &str) -> Result<(), Error> {
    if reason.chars().count() > MAX_REASON {
        return Err(Error::invalid(
            field,
            format!("must be at most {MAX_REASON} characters"),
        ));
    }
    if reason.chars().any(char::is_control) {
        return Err(Error::invalid(field, "must not contain control characters"));
    }
    Ok(())
}

/// Returns which member calls, if it is one.
pub(crate) fn member(caller: &Caller) -> Option<MemberId> {
    caller.member.as_deref().and_then(|name| name.parse().ok())
}
