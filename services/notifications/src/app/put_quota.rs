//! Says what may be sent in a month, and shows what is used of it.

use reflex_pg::once::{self, Once};
use reflex_proto::notifications::v1::{self as proto, PutQuotaRequest, PutQuotaResponse};
use reflex_tenancy::{TenantId, TenantSet};
use uuid::Uuid;

use super::App;
use crate::{
    api,
    domain::quota::{self, Monthly, Scope},
    error::Error,
    store::quotas::{self, Quota},
};

/// A quota as somebody wants it.
#[derive(Debug, Clone)]
pub struct WantedQuota {
    /// "quotas/{quota}".
    pub name: String,
    /// What it counts.
    pub scope: Scope,
    /// What may be sent; none removes it.
    pub monthly: Option<Monthly>,
    /// Who is told when it is nearly used up.
    pub administrators: Vec<String>,
}

impl App {
    /// Creates, changes or removes a quota. What is counted already stays counted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_quota(
        &self,
        tenant: &TenantId,
        wanted: WantedQuota,
        request_id: Option<Uuid>,
        request: &PutQuotaRequest,
    ) -> Result<PutQuotaResponse, Error> {
        const METHOD: &str = "/reflex.notifications.v1.ChannelService/PutQuota";
        let now = self.clock.now();
        let mut tx = self.database.begin("put_quota", &TenantSet::one(tenant)).await?;
        let claim = match once::claim(&mut tx, tenant, METHOD, request_id, request).await? {
            Once::New(claim) => claim,
            Once::Answered(response) => return Ok(response),
        };
        let month = quota::month(now, &self.zone);
        let shown = if let Some(monthly) = wanted.monthly {
            let stored = Quota {
                name: wanted.name.clone(),
                scope: wanted.scope,
                monthly,
                administrators: wanted.administrators,
                used: 0,
                told_percent: 0,
            };
            quotas::put(&mut tx, tenant, &stored, now).await?;
            let stored = quotas::find(&mut tx, tenant, &wanted.name, &month).await?;
            let stored = stored.ok_or(Error::NotFound(wanted.name))?;
            api::quota(stored, month)
        } else {
            quotas::remove(&mut tx, tenant, &wanted.name).await?;
            proto::Quota {
                name: wanted.name,
                ..proto::Quota::default()
            }
        };
        let response = PutQuotaResponse { quota: Some(shown) };
        claim.answer(&mut tx, &response).await?;
        tx.commit().await?;
        // What waits may be sent now.
        self.sender_wake.wake();
        Ok(response)
    }

    /// Lists quotas by name, with the month they are shown for.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_quotas(
        &self,
        tenant: &TenantId,
        after: Option<&str>,
        limit: i64,
    ) -> Result<(Vec<Quota>, String), Error> {
        let month = quota::month(self.clock.now(), &self.zone);
        let mut tx = self.database.begin("list_quotas", &TenantSet::one(tenant)).await?;
        Ok((quotas::list(&mut tx, tenant, &month, after, limit).await?, month))
    }
}
