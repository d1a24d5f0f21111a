//! Creating, changing and showing a tenant's gate.

use reflex_proto::leads::v1::{GetGatePolicyResponse, PutGatePolicyRequest, PutGatePolicyResponse};
use reflex_rpc::identity::Caller;
use reflex_tenancy::TenantSet;

use super::{App, change_setup::Begun, gate_sweep::sweep};
use crate::{convert, domain::gate::GateSpec, error::Error, store::gate_policies};

impl App {
    /// Creates or changes the gate; what it keeps is judged anew by it, batch by batch.
    ///
    /// # Errors
    /// [`Error::Violations`].
    pub(crate) async fn put_gate_policy(
        &self,
        caller: &Caller,
        request: &PutGatePolicyRequest,
    ) -> Result<PutGatePolicyResponse, Error> {
        let message = request.policy.as_ref();
        let message = message.ok_or_else(|| Error::invalid("policy", "must be given"))?;
        let raw = convert::gate::raw_gate(message).map_err(|violation| vec![violation])?;
        let spec = GateSpec::parse(raw)?;
        let mut change = match self
            .begin_change("put_gate_policy", caller, &request.request_id, request)
            .await?
        {
            Begun::Answered(response) => return Ok(response),
            Begun::New(change) => change,
        };
        let stored = gate_policies::find(&mut change.tx, &change.tenant).await?;
        let stored = match stored {
            Some(stored) if stored.gate.spec == spec => stored,
            _ => {
                let now = self.now_stored();
                let stored = gate_policies::put(&mut change.tx, &change.tenant, &spec, now).await?;
                reflex_timers::set(&mut change.tx, &[sweep(&change.tenant, now)]).await?;
                change.publish().await?;
                stored
            }
        };
        let response = PutGatePolicyResponse {
            policy: Some(convert::gate::policy(&stored.gate, stored.update_time)),
        };
        self.commit_change(change, &response).await?;
        Ok(response)
    }

    /// Returns the gate.
    ///
    /// # Errors
    /// [`Error::NotFound`] while there is none.
    pub(crate) async fn get_gate_policy(&self, caller: &Caller) -> Result<GetGatePolicyResponse, Error> {
        let mut tx = self
            .db
            .begin("get_gate_policy", &TenantSet::one(&caller.tenant))
            .await?;
        let stored = gate_policies::find(&mut tx, &caller.tenant).await?;
        let stored = stored.ok_or_else(|| Error::NotFound("a gate policy".into()))?;
        Ok(GetGatePolicyResponse {
            policy: Some(convert::gate::policy(&stored.gate, stored.update_time)),
        })
    }
}
