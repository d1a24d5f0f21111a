//! Takes in what a mail server sent back: the ledger said "delivered", and the message had reached nobody.

use jiff::SignedDuration;
use reflex_events::outbox;
use reflex_pg::once::{self, Once};
use reflex_proto::notifications::v1::{ReportBounceRequest, ReportBounceResponse};
use reflex_runtime::telemetry;
use reflex_tenancy::{TenantId, TenantSet};
use uuid::Uuid;

use super::App;
use crate::{
    domain::{bounce::Bounce, channel::Kind, message::MESSAGE_PREFIX},
    error::Error,
    events::{self, Occasion},
    store::{
        attempts::{self, Attempt},
        channels, messages, recipients,
    },
};

impl App {
    /// Writes a bounce down: an attempt that failed afterwards, and an address that is not tried for a while.
    ///
    /// # Errors
    /// When the message is not known, or did not go by mail.
    pub async fn report_bounce(
        &self,
        tenant: &TenantId,
        bounce: Bounce,
        request_id: Option<Uuid>,
        request: &ReportBounceRequest,
    ) -> Result<ReportBounceResponse, Error> {
        const METHOD: &str = "/reflex.notifications.v1.ChannelService/ReportBounce";
        let now = self.clock.now();
        let mut tx = self.database.begin("report_bounce", &TenantSet::one(tenant)).await?;
        let claim = match once::claim(&mut tx, tenant, METHOD, request_id, request).await? {
            Once::New(claim) => claim,
            Once::Answered(response) => return Ok(response),
        };
        let name = format!("{MESSAGE_PREFIX}{}", bounce.message);
        let message = messages::find(&mut tx, tenant, bounce.message).await?;
        let message = message.ok_or_else(|| Error::NotFound(name.clone()))?;
        let kind = channels::kind(&mut tx, tenant, &message.channel).await?;
        if kind != Some(Kind::Email) {
            return Err(Error::WrongState("the message did not go by mail".into()));
        }
        let reason = format!("bounced: {}", bounce.status);
        let mut told = Vec::new();
        if bounce.is_final {
            told = attempts::bounced(&mut tx, tenant, bounce.message, &reason).await?;
            if !told.is_empty() {
                let attempt = Attempt {
                    create_time: now,
                    provider_code: bounce.status.clone(),
                    outcome: "give_up".to_owned(),
                    latency: SignedDuration::ZERO,
                    detail: "the server took it and sent it back".to_owned(),
                };
                attempts::insert(&mut tx, tenant, bounce.message, &attempt).await?;
            }
        }
        let address_dead = bounce.is_address_dead();
        if address_dead {
            recipients::set_bounced(&mut tx, tenant, &message.recipient, &bounce.address, now).await?;
        }
        let facts: Vec<_> = told
            .iter()
            .map(|told| {
                let occasion = Occasion {
                    tenant: tenant.clone(),
                    id: self.ids.next(),
                    time: now,
                    traceparent: telemetry::current_traceparent(),
                };
                events::notification_failed(occasion, told, &message.channel, &reason)
            })
            .collect();
        outbox::push(&mut tx, &facts).await?;
        let response = ReportBounceResponse {
            message: name,
            status: bounce.status,
            address_dead,
        };
        claim.answer(&mut tx, &response).await?;
        tx.commit().await?;
        if !facts.is_empty() {
            self.relay_wake.wake();
        }
        Ok(response)
    }
}
