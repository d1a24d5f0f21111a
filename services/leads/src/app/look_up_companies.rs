//! The loop that asks the connected registry about the companies behind leads: outside of any transaction, its answers kept as
//! rows. Leads that waited for an answer, or for the registry to come back, are judged again.

use std::{sync::Arc, time::Duration};

use reflex_pg::{
    DbError,
    lease::{Hold, ShardWorker},
};
use reflex_tenancy::{TenantId, TenantSet};
use reflex_timers::Timer;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{
    App,
    gate::{Cause, GateDue},
};
use crate::{
    domain::{gate::Company, ids::LeadId},
    ports::{CompanyRegistry, Outage},
    store::company_lookups::{self, LOOKUP_SHARDS, lookup_shard},
};

/// The safety net for what other replicas asked for, and for what is to be asked again.
const POLL: Duration = Duration::from_millis(250);

/// Wakes the loops of this process after a commit that gave them work; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct LookupWake(Arc<[Notify; LOOKUP_SHARDS as usize]>);

impl LookupWake {
    /// Wakes the loop that works for a tenant.
    pub(crate) fn wake(&self, tenant: &TenantId) {
        self.shard(lookup_shard(tenant)).notify_one();
    }

    fn shard(&self, shard: i16) -> &Notify {
        &self.0[usize::from(shard.unsigned_abs()) % self.0.len()]
    }
}

/// Asks a registry for a shard of tenants.
pub(crate) struct CompanyLookups<R> {
    app: Arc<App>,
    registry: R,
}

impl<R: CompanyRegistry + Clone + Send + Sync + 'static> CompanyLookups<R> {
    pub(crate) fn new(app: Arc<App>, registry: R) -> Self {
        Self { app, registry }
    }

    /// Asks about everything that is due, one after the other, and returns whether there was anything.
    async fn round(&self, hold: &Hold, stop: &CancellationToken) -> Result<bool, DbError> {
        let app = &self.app;
        let due = company_lookups::list_due(&app.db.worker, hold.index(), app.clock.now()).await?;
        for (tenant, domain) in &due {
            if stop.is_cancelled() {
                return Ok(false);
            }
            let tenant: TenantId = tenant.parse().expect("only valid tenants are stored");
            let mut registry = self.registry.clone();
            let answer = registry.find(std::slice::from_ref(domain)).await;
            self.keep(hold, &tenant, domain, answer.map(|mut found| found.remove(domain)))
                .await?;
        }
        Ok(!due.is_empty())
    }

    /// Keeps what came of a question, and has the leads judged again to which it matters.
    async fn keep(
        &self,
        hold: &Hold,
        tenant: &TenantId,
        domain: &str,
        answer: Result<Option<Company>, Outage>,
    ) -> Result<(), DbError> {
        let app = &self.app;
        let now = app.now_stored();
        let tenants = TenantSet::one(tenant);
        let mut tx = app.db.begin_held("look_up_company", &tenants, &[hold]).await?;
        let matters = match answer {
            Ok(company) => {
                company_lookups::set_answer(&mut tx, tenant, domain, company.as_ref(), now).await?;
                true
            }
            Err(Outage::Database(error)) => return Err(error),
            Err(Outage::Down(why)) => {
                warn!(%tenant, why, "the registry of companies did not answer");
                company_lookups::set_failed(&mut tx, tenant, domain, &why, now).await?
            }
        };
        if matters {
            let leads = company_lookups::list_affected(&mut tx, tenant, domain).await?;
            let look = |lead| {
                let (lead, cause) = (LeadId(lead), Cause::Recheck);
                GateDue { lead, cause }.timer(tenant, app.ids.next(), now)
            };
            let timers: Vec<Timer> = leads.into_iter().map(look).collect();
            reflex_timers::set(&mut tx, &timers).await?;
        }
        tx.commit().await?;
        app.timers.wake();
        Ok(())
    }
}

impl<R: CompanyRegistry + Clone + Send + Sync + 'static> ShardWorker for CompanyLookups<R> {
    async fn work(&self, hold: Hold, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match self.round(&hold, &stop).await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(DbError::LeaseLost) => {
                    info!(shard = hold.shard(), "another replica asks the registry now");
                    return;
                }
                Err(error) => warn!(shard = hold.shard(), %error, "companies could not be looked up, will go on"),
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.app.lookups.shard(hold.index()).notified() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }
}
