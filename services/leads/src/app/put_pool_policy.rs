//! Creating, changing and showing a tenant's pool policy.

use jiff::Timestamp;
use reflex_proto::leads::v1::{GetPoolPolicyResponse, PutPoolPolicyRequest, PutPoolPolicyResponse};
use reflex_rpc::identity::Caller;
use reflex_tenancy::TenantSet;

use super::{
    App,
    change_setup::{Begun, Change},
    pool_clocks,
};
use crate::{
    convert,
    domain::{
        decision::Trigger,
        pool::{Pool, PoolSpec},
    },
    error::Error,
    store::{pools, reroute},
};

impl App {
    /// Creates or changes the pool policy; the clocks of owned leads are set anew by it, batch by batch.
    ///
    /// # Errors
    /// [`Error::Violations`].
    pub(crate) async fn put_pool_policy(
        &self,
        caller: &Caller,
        request: &PutPoolPolicyRequest,
    ) -> Result<PutPoolPolicyResponse, Error> {
        let message = request.policy.as_ref();
        let message = message.ok_or_else(|| Error::invalid("policy", "must be given"))?;
        let raw = convert::pool::raw_pool(message).map_err(|violation| vec![violation])?;
        let mut change = match self
            .begin_change("put_pool_policy", caller, &request.request_id, request)
            .await?
        {
            Begun::Answered(response) => return Ok(response),
            Begun::New(change) => change,
        };
        let spec = PoolSpec::parse(&raw, change.before.fields.names())?;
        let stored = pools::find(&mut change.tx, &change.tenant).await?;
        let update_time = match stored {
            Some((before, at)) if before == spec => at,
            _ => self.write_pool(&mut change, &spec).await?,
        };
        let response = PutPoolPolicyResponse {
            policy: Some(convert::pool::pool(&spec, update_time)),
        };
        self.commit_change(change, &response).await?;
        Ok(response)
    }

    /// Returns the pool policy.
    ///
    /// # Errors
    /// [`Error::NotFound`] while there is none.
    pub(crate) async fn get_pool_policy(&self, caller: &Caller) -> Result<GetPoolPolicyResponse, Error> {
        let mut tx = self
            .db
            .begin("get_pool_policy", &TenantSet::one(&caller.tenant))
            .await?;
        let stored = pools::find(&mut tx, &caller.tenant).await?;
        let (spec, update_time) = stored.ok_or_else(|| Error::NotFound("a pool policy".into()))?;
        Ok(GetPoolPolicyResponse {
            policy: Some(convert::pool::pool(&spec, update_time)),
        })
    }

    async fn write_pool(&self, change: &mut Change, spec: &PoolSpec) -> Result<Timestamp, Error> {
        let now = self.clock.now();
        pools::put(&mut change.tx, &change.tenant, spec, now).await?;
        if !spec.rules.is_empty() {
            let sweep = pool_clocks::sweep(&change.tenant, None, now);
            reflex_timers::set(&mut change.tx, &[sweep]).await?;
        }
        let picked_before = |pool: &Pool| pool.spec().picks_per_day > 0;
        if spec.picks_per_day == 0 && change.before.pool.as_deref().is_some_and(picked_before) {
            // Nobody would come for what waits to be picked.
            let trigger = Trigger::PolicyChanged;
            if pools::give_up(&mut change.tx, &change.tenant, trigger.as_str()).await? {
                reroute::request(&mut change.tx, &change.tenant, trigger, None).await?;
            }
        }
        change.publish().await.map(|()| now)
    }
}
