//! Acknowledging what a ladder told; where the ladder says so, it ends with that.

use reflex_pg::once::{self, Once};
use reflex_proto::leads::v1::{
    AcknowledgeEscalationRequest, AcknowledgeEscalationResponse, LeadEscalationAcknowledged,
};
use reflex_rpc::{identity::Caller, request_id::RequestId};
use reflex_tenancy::TenantSet;

use super::{
    App,
    claim_lead::{acting_member, lead_name, lock},
};
use crate::{
    error::Error,
    events,
    store::{escalations, history, running_clocks},
};

impl App {
    /// Records that a member has understood what the lead's ladder told them.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::WrongState`] when it told them nothing, [`Error::Denied`].
    pub(crate) async fn acknowledge_escalation(
        &self,
        caller: &Caller,
        request: &AcknowledgeEscalationRequest,
    ) -> Result<AcknowledgeEscalationResponse, Error> {
        let id = lead_name("name", &request.name)?;
        let member = acting_member(caller, "member", &request.member)?;
        let request_id = RequestId::parse(&request.request_id)?;
        let tenant = &caller.tenant;
        let mut tx = self.db.begin("acknowledge_escalation", &TenantSet::one(tenant)).await?;
        let claimed = match once::claim(&mut tx, tenant, "AcknowledgeEscalation", request_id, request).await? {
            Once::Answered(response) => return Ok(response),
            Once::New(claim) => claim,
        };
        // The lock that every step of the ladder takes too: either the step came first, or it sees this.
        let lead = lock(&mut tx, caller, id).await?;
        let now = self.clock.now();
        let told = escalations::acknowledge(&mut tx, tenant, id, &member, now)
            .await?
            .ok_or_else(|| Error::WrongState(format!("the ladder of {id} has told {member} nothing")))?;
        if !told.was_before {
            let mut entries = vec![self.entry(
                &lead,
                "acknowledged",
                Some(member.clone()),
                format!("step {}", told.step),
            )];
            if told.acknowledge_stops {
                let steps = running_clocks::count_steps(&mut tx, tenant, id).await?;
                entries.push(self.entry(&lead, "stopped", None, format!("{steps} steps of the ladder")));
            }
            history::add(&mut tx, tenant, &entries).await?;
            let fact = LeadEscalationAcknowledged {
                lead: id.to_string(),
                member: member.to_string(),
                step: told.step.into(),
                ladder_stopped: told.acknowledge_stops,
            };
            self.tell(&mut tx, caller, events::LEAD_ESCALATION_ACKNOWLEDGED, id, &fact)
                .await?;
        }
        let response = AcknowledgeEscalationResponse {
            ladder_stopped: told.acknowledge_stops,
        };
        claimed.answer(&mut tx, &response).await?;
        tx.commit().await?;
        self.relay.wake();
        Ok(response)
    }
}
