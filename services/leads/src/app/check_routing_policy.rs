//! Telling what speaks against a policy, without changing anything.

use reflex_proto::leads::v1::{CheckRoutingPolicyRequest, CheckRoutingPolicyResponse};
use reflex_rpc::identity::Caller;
use reflex_tenancy::{TenantId, TenantSet};
use sqlx::PgConnection;

use super::App;
use crate::{
    convert,
    domain::routing::{Finding, PolicySpec, Surroundings},
    error::Error,
    setup::Setup,
    store::members,
};

impl App {
    /// Checks a policy, or a stored version, against what is set up now.
    ///
    /// # Errors
    /// [`Error::Violations`] for what is no policy, [`Error::NotFound`].
    pub(crate) async fn check_routing_policy(
        &self,
        caller: &Caller,
        request: &CheckRoutingPolicyRequest,
    ) -> Result<CheckRoutingPolicyResponse, Error> {
        if request.policy.is_some() && request.version != 0 {
            return Err(Error::invalid("version", "must be 0 where a policy is given"));
        }
        let stored = match &request.policy {
            Some(_) => None,
            None => Some(self.stored_policy(&caller.tenant, request.version).await?.1),
        };
        let mut tx = self
            .db
            .begin("check_routing_policy", &TenantSet::one(&caller.tenant))
            .await?;
        let setup = self.setups.get(&mut tx, &caller.tenant).await?;
        let spec = match (stored, &request.policy) {
            (Some(spec), _) => spec,
            (None, policy) => {
                let policy = policy.clone().unwrap_or_default();
                let raw = convert::routing::raw_policy(&policy).map_err(|violation| vec![violation])?;
                PolicySpec::parse(&raw, setup.fields.names())?
            }
        };
        let found = self.findings(&mut tx, &caller.tenant, &setup, &spec).await?;
        let (findings, finding_count) = convert::routing::findings(&found, &spec, &setup.directory);
        Ok(CheckRoutingPolicyResponse {
            findings,
            finding_count,
            activatable: !found.iter().any(|finding| finding.problem.refuses()),
        })
    }

    /// Returns everything that speaks against a policy under a setup.
    pub(crate) async fn findings(
        &self,
        tx: &mut PgConnection,
        tenant: &TenantId,
        setup: &Setup,
        spec: &PolicySpec,
    ) -> Result<Vec<Finding>, Error> {
        let around = Surroundings {
            directory: &setup.directory,
            leaves: &setup.leaves,
            open_leads: &members::open_leads(tx, tenant).await?,
            now: self.clock.now(),
        };
        Ok(spec.findings(spec.flaws(setup.fields.names()), &around))
    }
}
