//! A request about all leads that wait, which one of them makes fail: that one is found and tried by itself from then on.

use reflex_pg::{DbError, lease::Hold};
use reflex_tenancy::{TenantId, TenantSet};
use tracing::warn;
use uuid::Uuid;

use super::{Batch, Intake, PAGE, trigger_of};
use crate::{
    domain::ids::LeadId,
    store::{
        intake::{self, Work},
        reroute,
    },
};

/// Pages of waiting leads that are looked through for what is at fault.
const PAGES: i64 = 20;

impl Intake {
    /// Routes the leads of a request page by page, halves of a page where that fails, and sets apart whoever fails alone; returns
    /// whether there was one.
    pub(super) async fn set_apart(&self, hold: &Hold, tenant: &TenantId, request: &Work) -> Result<bool, DbError> {
        for page in 0..PAGES {
            let mut tx = self.app.db.begin("list_waiting", &TenantSet::one(tenant)).await?;
            let team = request.team.as_deref();
            let waiting = intake::list_waiting(&mut tx, tenant, team, PAGE, page * PAGE).await?;
            drop(tx);
            if waiting.is_empty() {
                break;
            }
            let mut found = false;
            let mut left = vec![waiting];
            while let Some(mut leads) = left.pop() {
                match self.route_these(hold, tenant, request, &leads).await {
                    Ok(()) => {}
                    Err(error @ (DbError::LeaseLost | DbError::Unavailable(_))) => return Err(error),
                    Err(_) if leads.len() > 1 => {
                        left.push(leads.split_off(leads.len() / 2));
                        left.push(leads);
                    }
                    Err(error) => {
                        found = true;
                        for lead in leads {
                            warn!(%tenant, lead = %LeadId(lead), %error, "a waiting lead is tried by itself");
                            self.try_alone(hold, tenant, request, lead).await?;
                        }
                    }
                }
            }
            if found {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Routes some of the leads that wait.
    async fn route_these(&self, hold: &Hold, tenant: &TenantId, request: &Work, leads: &[Uuid]) -> Result<(), DbError> {
        let (mut tx, standings, setup) = self.begin(hold, tenant).await?;
        let mut batch = Batch::new(tenant, &setup, standings, &self.app);
        let rows = intake::list_leads_for_update(&mut tx, tenant, "queued", leads).await?;
        batch.route(&mut tx, rows, trigger_of(request)).await?;
        self.finish(tx, tenant, batch).await
    }

    async fn try_alone(&self, hold: &Hold, tenant: &TenantId, request: &Work, lead: Uuid) -> Result<(), DbError> {
        let tenants = TenantSet::one(tenant);
        let mut tx = self.app.db.begin_held("set_apart", &tenants, &[hold]).await?;
        reroute::request_apart(&mut tx, tenant, trigger_of(request), lead).await?;
        tx.commit().await
    }
}
