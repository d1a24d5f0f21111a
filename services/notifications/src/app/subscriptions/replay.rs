//! Delivers kept events again.

use jiff::Timestamp;
use reflex_pg::once::{self, Once};
use reflex_proto::notifications::v1::{ReplaySubscriptionRequest, ReplaySubscriptionResponse};
use reflex_tenancy::{TenantId, TenantSet};
use uuid::Uuid;

use super::{
    catalogue::catalogue,
    listeners::{Listener, Said},
};
use crate::{
    app::App,
    error::Error,
    store::{
        subscription_events::{self, Kept},
        subscriptions::{self, Lock},
    },
};

/// Most events looked at by one call.
const PORTION: i64 = 1_000;

/// Which events are delivered again.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// Those behind this place of the order.
    pub after: i64,
    /// Those that happened then or later.
    pub from: Option<Timestamp>,
}

impl App {
    /// Delivers the events of a span again that the subscription wants as it is now; `cursor` writes where to go on.
    ///
    /// # Errors
    /// When there is none of this name.
    pub async fn replay_subscription(
        &self,
        tenant: &TenantId,
        span: Span,
        request_id: Option<Uuid>,
        request: &ReplaySubscriptionRequest,
        cursor: impl Fn(i64) -> String,
    ) -> Result<ReplaySubscriptionResponse, Error> {
        const METHOD: &str = "/reflex.notifications.v1.SubscriptionService/ReplaySubscription";
        let now = self.clock.now();
        let mut tx = self
            .database
            .begin("replay_subscription", &TenantSet::one(tenant))
            .await?;
        let claim = match once::claim(&mut tx, tenant, METHOD, request_id, request).await? {
            Once::New(claim) => claim,
            Once::Answered(response) => return Ok(response),
        };
        let found = subscriptions::find(&mut tx, tenant, &request.name, Lock::ForUpdate).await?;
        let subscription = found.ok_or_else(|| Error::NotFound(request.name.clone()))?;
        let listener = Listener::new(subscription.name, subscription.wish);
        let kept = subscription_events::list(&mut tx, tenant, span.after, span.from, PORTION).await?;
        let context = self.subscribing.listeners.context();
        let wanted: Vec<i64> = kept
            .iter()
            .filter(|event| is_wanted(&listener, event, &context))
            .map(|event| event.sequence)
            .collect();
        subscription_events::replay(&mut tx, tenant, &request.name, &wanted, now).await?;
        let is_full = i64::try_from(kept.len()).is_ok_and(|count| count == PORTION);
        let next = kept.last().filter(|_| is_full).map(|last| cursor(last.sequence));
        let response = ReplaySubscriptionResponse {
            replayed: i32::try_from(wanted.len()).unwrap_or(i32::MAX),
            next_cursor: next.unwrap_or_default(),
        };
        claim.answer(&mut tx, &response).await?;
        tx.commit().await?;
        self.subscribing.wake.wake();
        Ok(response)
    }
}

fn is_wanted(listener: &Listener, event: &Kept, context: &reflex_expr::Context) -> bool {
    let Some(entry) = catalogue().of_kind(&event.kind) else {
        return false;
    };
    let data = entry.data(&event.data, true).unwrap_or_default();
    let said = Said {
        event_type: &entry.name,
        subject: &event.subject,
        data: &data,
    };
    listener.hears(said, context)
}
