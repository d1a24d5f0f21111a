//! Making a stored version of the policy the active one: a draft, or the way back to an earlier one.

use reflex_proto::leads::v1::{ActivateRoutingPolicyRequest, ActivateRoutingPolicyResponse};
use reflex_rpc::identity::Caller;

use super::{
    App,
    change_setup::Begun,
    list_routing_policies::find_version,
    put_routing_policy::{actor, parse_note, refusal},
};
use crate::{
    convert,
    domain::{routing::Finding, violation::Violations},
    error::Error,
    store::policies::NewActivation,
};

impl App {
    /// Makes a version the active one, unless it is.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Violations`], [`Error::Obstacles`] with everything that refuses.
    pub(crate) async fn activate_routing_policy(
        &self,
        caller: &Caller,
        request: &ActivateRoutingPolicyRequest,
    ) -> Result<ActivateRoutingPolicyResponse, Error> {
        let mut violations = Violations::default();
        let version = violations.number("version", request.version, 1..=i32::MAX);
        let note = parse_note(&mut violations, &request.note);
        if !violations.is_empty() {
            return Err(violations.into_vec().into());
        }
        // Before the setup is locked, which routing waits for: what a version says never changes.
        let (_, spec) = self.stored_policy(&caller.tenant, version).await?;
        let mut change = match self
            .begin_change("activate_routing_policy", caller, &request.request_id, request)
            .await?
        {
            Begun::Answered(response) => return Ok(response),
            Begun::New(change) => change,
        };
        let setup = change.before.clone();
        let previous = setup.policy.as_ref().map(|active| active.version());
        let mut found = Vec::new();
        if previous != Some(version) {
            found = self.findings(&mut change.tx, &change.tenant, &setup, &spec).await?;
            let refused: Vec<&Finding> = found.iter().filter(|finding| finding.problem.refuses()).collect();
            if !refused.is_empty() {
                return Err(refusal(&refused, &spec, &setup.directory));
            }
            let new = NewActivation {
                version,
                previous,
                actor: actor(caller),
                note: &note,
            };
            self.make_active(&mut change, &new).await?;
        }
        let row = find_version(&mut change.tx, &change.tenant, version).await?;
        let (findings, finding_count) = convert::routing::findings(&found, &spec, &setup.directory);
        let response = ActivateRoutingPolicyResponse {
            version: Some(convert::routing::version(&row)),
            previous_version: previous.unwrap_or_default(),
            findings,
            finding_count,
        };
        self.commit_change(change, &response).await?;
        Ok(response)
    }
}
