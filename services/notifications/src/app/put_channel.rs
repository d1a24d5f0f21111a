//! Sets channels up and shows them.

use reflex_pg::once::{self, Once};
use reflex_proto::notifications::v1::{PutChannelRequest, PutChannelResponse};
use reflex_sealing::Place;
use reflex_tenancy::{TenantId, TenantSet};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::App;
use crate::{
    api,
    domain::{
        Problem,
        account::Account,
        budget::Limits,
        channel::{self, Kind},
    },
    error::Error,
    store::{
        channels::{self, Channel},
        reservations,
    },
};

/// A channel as somebody wants it.
#[derive(Debug, Clone)]
pub struct WantedChannel {
    /// "channels/{channel}".
    pub name: String,
    /// What its messages go to; it cannot be changed.
    pub kind: Kind,
    /// Address; empty, or as it is shown, keeps the present one.
    pub endpoint: SecretString,
    /// Signing secret; empty keeps the present one.
    pub secret: SecretString,
    /// As whom to sign in.
    pub account: Account,
    /// Teams it serves; empty serves everybody.
    pub teams: Vec<String>,
    /// What it may send.
    pub limits: Limits,
    /// Whether it is used.
    pub enabled: bool,
}

impl App {
    /// Creates or changes a channel.
    ///
    /// # Errors
    /// When its address is not allowed, or missing for a new one; when its secret is none for its kind; when it is of
    /// another kind already.
    pub async fn put_channel(
        &self,
        tenant: &TenantId,
        wanted: WantedChannel,
        request_id: Option<Uuid>,
        request: &PutChannelRequest,
    ) -> Result<PutChannelResponse, Error> {
        const METHOD: &str = "/reflex.notifications.v1.ChannelService/PutChannel";
        let now = self.clock.now();
        let mut tx = self.database.begin("put_channel", &TenantSet::one(tenant)).await?;
        let claim = match once::claim(&mut tx, tenant, METHOD, request_id, request).await? {
            Once::New(claim) => claim,
            Once::Answered(response) => return Ok(response),
        };
        let present = channels::find_for_update(&mut tx, tenant, &wanted.name).await?;
        let channel = self.build(tenant, wanted, present)?;
        channels::put(&mut tx, tenant, &channel, now).await?;
        let held = reservations::held(&mut tx, tenant, &channel.name, now).await?;
        let response = PutChannelResponse {
            channel: Some(api::channel(&channel, held.count, now)),
        };
        claim.answer(&mut tx, &response).await?;
        tx.commit().await?;
        self.settings.forget(tenant);
        self.sender_wake.wake();
        Ok(response)
    }

    fn build(&self, tenant: &TenantId, wanted: WantedChannel, present: Option<Channel>) -> Result<Channel, Error> {
        let place = |part| Place {
            tenant,
            resource: &wanted.name,
            part,
        };
        let invalid = |problem: Problem| Error::Invalid(vec![problem]);
        if present.as_ref().is_some_and(|present| present.kind != wanted.kind) {
            return Err(invalid(Problem::new("channel.kind", "cannot be changed")));
        }
        wanted.account.check(wanted.kind).map_err(invalid)?;
        let address = wanted.endpoint.expose_secret();
        let keeps_address = |present: &Channel| address.is_empty() || address == present.endpoint_shown;
        let (endpoint, endpoint_shown) = match &present {
            Some(present) if keeps_address(present) => (present.endpoint.clone(), present.endpoint_shown.clone()),
            _ => {
                self.endpoint_rules.check(wanted.kind, address).map_err(invalid)?;
                let shown = channel::masked(wanted.kind, address);
                (self.sealer.seal(place("endpoint"), address)?, shown)
            }
        };
        let secret = wanted.secret.expose_secret();
        let kept = present.as_ref().and_then(|present| present.secret.clone());
        let secret = match kept {
            Some(kept) if secret.is_empty() => Some(kept),
            _ => {
                wanted.kind.check_secret(secret).map_err(invalid)?;
                let sealed = (!secret.is_empty()).then(|| self.sealer.seal(place("secret"), secret));
                sealed.transpose()?
            }
        };
        Ok(Channel {
            kind: wanted.kind,
            endpoint,
            endpoint_shown,
            secret,
            account: wanted.account,
            teams: wanted.teams,
            limits: wanted.limits,
            enabled: wanted.enabled,
            locked_until: present.and_then(|present| present.locked_until),
            failures: 0,
            probe_time: None,
            has_quota: false,
            name: wanted.name,
        })
    }

    /// Lists channels by name, each with the reservations that count.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_channels(
        &self,
        tenant: &TenantId,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Vec<(Channel, i64)>, Error> {
        let mut tx = self.database.begin("list_channels", &TenantSet::one(tenant)).await?;
        Ok(channels::list(&mut tx, tenant, after, limit, self.clock.now()).await?)
    }
}
