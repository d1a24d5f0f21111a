//! Storing a routing policy as the next version, and showing versions.

use reflex_proto::leads::v1::{GetRoutingPolicyResponse, PutRoutingPolicyRequest, PutRoutingPolicyResponse};
use reflex_rpc::identity::Caller;
use reflex_tenancy::TenantSet;

use super::{App, change_setup::Begun};
use crate::{
    convert,
    domain::{
        decision::Trigger,
        routing::{PolicySpec, nobody_takes},
    },
    error::Error,
    store::{policies, reroute},
};

impl App {
    /// Stores a policy as the next version and makes it the active one, unless it is the active one already.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::WrongState`] naming unknown teams, territories and products, or teams nobody of whom
    /// can take a lead.
    pub(crate) async fn put_routing_policy(
        &self,
        caller: &Caller,
        request: &PutRoutingPolicyRequest,
    ) -> Result<PutRoutingPolicyResponse, Error> {
        let policy = request
            .policy
            .as_ref()
            .ok_or_else(|| Error::invalid("policy", "must be given"))?;
        let raw = convert::routing::raw_policy(policy).map_err(|violation| vec![violation])?;
        let spec = PolicySpec::parse(&raw)?;
        let mut change = match self
            .begin_change("put_routing_policy", caller, &request.request_id, request)
            .await?
        {
            Begun::Answered(response) => return Ok(response),
            Begun::New(change) => change,
        };
        let unknown = spec.unknown_references(&change.before.directory);
        if !unknown.is_empty() {
            return Err(Error::WrongState(format!(
                "the policy names what does not exist: {}",
                unknown.join(", ")
            )));
        }
        let active = change.before.policy.clone();
        let version = match active {
            Some(active) if *active.spec() == spec => active.version(),
            _ => {
                let directory = &change.before.directory;
                let idle = spec.teams_without_takers(directory);
                if !idle.is_empty() {
                    return Err(Error::WrongState(nobody_takes(&idle, directory)));
                }
                let version = active.map_or(0, |active| active.version()) + 1;
                policies::insert(&mut change.tx, &change.tenant, version, &spec, self.clock.now()).await?;
                reroute::request(&mut change.tx, &change.tenant, Trigger::PolicyChanged, None).await?;
                change.publish().await?;
                version
            }
        };
        let response = PutRoutingPolicyResponse {
            policy: Some(convert::routing::policy(version, &spec)),
        };
        self.commit_change(change, &response).await?;
        Ok(response)
    }

    /// Returns a version of the policy, the active one for 0.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub(crate) async fn get_routing_policy(
        &self,
        caller: &Caller,
        version: i32,
    ) -> Result<GetRoutingPolicyResponse, Error> {
        let wanted = (version != 0).then_some(version);
        let mut tx = self
            .db
            .begin("get_routing_policy", &TenantSet::one(&caller.tenant))
            .await?;
        let found = policies::find(&mut tx, &caller.tenant, wanted).await?;
        let (version, spec) = found.ok_or_else(|| match wanted {
            Some(version) => Error::NotFound(format!("version {version} of the routing policy")),
            None => Error::NotFound("a routing policy".into()),
        })?;
        Ok(GetRoutingPolicyResponse {
            policy: Some(convert::routing::policy(version, &spec)),
        })
    }
}
