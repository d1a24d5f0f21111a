//! Creating, changing and showing how a tenant's leads are compared.

use reflex_proto::leads::v1::{GetDuplicatePolicyResponse, PutDuplicatePolicyRequest, PutDuplicatePolicyResponse};
use reflex_rpc::identity::Caller;
use reflex_tenancy::TenantSet;

use super::{App, change_setup::Begun};
use crate::{
    convert,
    domain::duplicates::DuplicatePolicy,
    error::Error,
    store::duplicates::{self, sweeps},
};

impl App {
    /// Creates or changes the policy; all leads are compared anew by it, batch by batch.
    ///
    /// # Errors
    /// [`Error::Violations`].
    pub(crate) async fn put_duplicate_policy(
        &self,
        caller: &Caller,
        request: &PutDuplicatePolicyRequest,
    ) -> Result<PutDuplicatePolicyResponse, Error> {
        let message = request.policy.as_ref();
        let message = message.ok_or_else(|| Error::invalid("policy", "must be given"))?;
        let policy = DuplicatePolicy::parse(&convert::duplicates::raw_policy(message))?;
        let mut change = match self
            .begin_change("put_duplicate_policy", caller, &request.request_id, request)
            .await?
        {
            Begun::Answered(response) => return Ok(response),
            Begun::New(change) => change,
        };
        let stored = duplicates::find_policy(&mut change.tx, &change.tenant).await?;
        let update_time = match stored {
            Some((before, at)) if before == policy => at,
            _ => {
                let now = self.clock.now();
                duplicates::put_policy(&mut change.tx, &change.tenant, &policy, now).await?;
                if policy != *change.before.duplicates && !policy.disabled {
                    sweeps::sweep(&mut change.tx, &change.tenant).await?;
                }
                change.publish().await?;
                now
            }
        };
        let response = PutDuplicatePolicyResponse {
            policy: Some(convert::duplicates::policy(&policy, update_time)),
        };
        self.commit_change(change, &response).await?;
        Ok(response)
    }

    /// Returns the policy.
    ///
    /// # Errors
    /// [`Error::NotFound`] while there is none, and the usual one holds.
    pub(crate) async fn get_duplicate_policy(&self, caller: &Caller) -> Result<GetDuplicatePolicyResponse, Error> {
        let tenant = &caller.tenant;
        let mut tx = self.db.begin("get_duplicate_policy", &TenantSet::one(tenant)).await?;
        let stored = duplicates::find_policy(&mut tx, tenant).await?;
        let (policy, update_time) =
            stored.ok_or_else(|| Error::NotFound("a duplicate policy of the tenant's own".into()))?;
        Ok(GetDuplicatePolicyResponse {
            policy: Some(convert::duplicates::policy(&policy, update_time)),
        })
    }
}
