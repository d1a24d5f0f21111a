//! Shows subscriptions and their deliveries, and pauses, resumes, deletes them; changes their secrets; delivers again.

use jiff::SignedDuration;
use prost::Message;
use reflex_pg::database::Transaction;
use reflex_pg::once::{self, Claim, Once};
use reflex_proto::notifications::v1::{
    DeleteSubscriptionRequest, DeleteSubscriptionResponse, RetryDeliveryRequest, RetryDeliveryResponse,
    RotateSubscriptionSecretRequest, RotateSubscriptionSecretResponse,
};
use reflex_signatures::standard_webhooks::Keys;
use reflex_tenancy::{TenantId, TenantSet};
use secrecy::ExposeSecret;
use uuid::Uuid;

use super::{dispatch::place, put::invalid};
use crate::{
    api,
    app::App,
    domain::subscription::{Progress, State, check_secret, health::Health, overlap_end},
    error::Error,
    store::{
        deliveries::{self, Again, Delivery},
        subscriptions::{self, Lock, Subscription},
    },
};

/// A subscription with the public halves of its keys.
pub type Shown = (Subscription, Vec<String>);

/// What a person wants a subscription to do from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Send nothing.
    Pause,
    /// Send, at once what waits for its next attempt.
    Resume,
}

impl App {
    /// Returns a subscription.
    ///
    /// # Errors
    /// When there is none of this name.
    pub async fn get_subscription(&self, tenant: &TenantId, name: &str) -> Result<Shown, Error> {
        let mut tx = self.database.begin("get_subscription", &TenantSet::one(tenant)).await?;
        let found = subscriptions::find(&mut tx, tenant, name, Lock::None).await?;
        let subscription = found.ok_or_else(|| Error::NotFound(name.to_owned()))?;
        let keys = self.public_keys(tenant, &subscription)?;
        Ok((subscription, keys))
    }

    /// Lists subscriptions by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_subscriptions(
        &self,
        tenant: &TenantId,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Vec<Shown>, Error> {
        let mut tx = self
            .database
            .begin("list_subscriptions", &TenantSet::one(tenant))
            .await?;
        let found = subscriptions::list(&mut tx, tenant, after, limit).await?;
        let shown = found.into_iter().map(|subscription| {
            let keys = self.public_keys(tenant, &subscription)?;
            Ok((subscription, keys))
        });
        shown.collect()
    }

    /// Returns the halves of Ed25519 keys that receivers get.
    pub(super) fn public_keys(&self, tenant: &TenantId, subscription: &Subscription) -> Result<Vec<String>, Error> {
        let former = subscription
            .former
            .as_ref()
            .filter(|(_, until)| *until > self.clock.now());
        let mut public = Vec::new();
        for sealed in std::iter::once(&subscription.secret).chain(former.map(|(sealed, _)| sealed)) {
            let secret = self.sealer.open(place(tenant, &subscription.name, "secret"), sealed)?;
            public.extend(
                Keys::parse(secret.expose_secret())
                    .map(|keys| keys.public())
                    .unwrap_or_default(),
            );
        }
        Ok(public)
    }

    /// Pauses or resumes a subscription.
    ///
    /// # Errors
    /// When there is none of this name.
    pub async fn turn_subscription<R: Message + Default>(
        &self,
        tenant: &TenantId,
        (name, turn): (&str, Turn),
        request_id: Option<Uuid>,
        request: &impl Message,
        answer: impl FnOnce(reflex_proto::notifications::v1::Subscription) -> R,
    ) -> Result<R, Error> {
        let method = match turn {
            Turn::Pause => "/reflex.notifications.v1.SubscriptionService/PauseSubscription",
            Turn::Resume => "/reflex.notifications.v1.SubscriptionService/ResumeSubscription",
        };
        let now = self.clock.now();
        let mut tx = self
            .database
            .begin("turn_subscription", &TenantSet::one(tenant))
            .await?;
        let claim = match once::claim(&mut tx, tenant, method, request_id, request).await? {
            Once::New(claim) => claim,
            Once::Answered(response) => return Ok(response),
        };
        let mut subscription = found(&mut tx, tenant, name).await?;
        subscription.reason.clear();
        subscription.update_time = now;
        match turn {
            Turn::Pause => subscription.state = State::Paused,
            Turn::Resume => {
                subscription.state = State::Active;
                subscription.health = Health::default();
                deliveries::hurry(&mut tx, tenant, name, now).await?;
            }
        }
        subscriptions::put(&mut tx, tenant, &subscription).await?;
        let response = answer(api::subscriptions::subscription(
            &subscription,
            self.public_keys(tenant, &subscription)?,
        ));
        self.finish(tx, claim, &response).await?;
        Ok(response)
    }

    /// Deletes a subscription with all that waits for it.
    ///
    /// # Errors
    /// When there is none of this name.
    pub async fn delete_subscription(
        &self,
        tenant: &TenantId,
        request_id: Option<Uuid>,
        request: &DeleteSubscriptionRequest,
    ) -> Result<DeleteSubscriptionResponse, Error> {
        const METHOD: &str = "/reflex.notifications.v1.SubscriptionService/DeleteSubscription";
        let mut tx = self
            .database
            .begin("delete_subscription", &TenantSet::one(tenant))
            .await?;
        let claim = match once::claim(&mut tx, tenant, METHOD, request_id, request).await? {
            Once::New(claim) => claim,
            Once::Answered(response) => return Ok(response),
        };
        if !subscriptions::delete(&mut tx, tenant, &request.name).await? {
            return Err(Error::NotFound(request.name.clone()));
        }
        let response = DeleteSubscriptionResponse {};
        self.finish(tx, claim, &response).await?;
        Ok(response)
    }

    /// Gives a subscription another secret; the present one signs besides until the overlap is over.
    ///
    /// # Errors
    /// When there is none of this name, or the secret or overlap is none.
    pub async fn rotate_subscription_secret(
        &self,
        tenant: &TenantId,
        overlap: Option<SignedDuration>,
        request_id: Option<Uuid>,
        request: &RotateSubscriptionSecretRequest,
    ) -> Result<RotateSubscriptionSecretResponse, Error> {
        const METHOD: &str = "/reflex.notifications.v1.SubscriptionService/RotateSubscriptionSecret";
        let now = self.clock.now();
        check_secret("secret", &request.secret).map_err(invalid)?;
        let until = overlap_end(now, overlap).map_err(invalid)?;
        let mut tx = self.database.begin("rotate_secret", &TenantSet::one(tenant)).await?;
        let claim = match once::claim(&mut tx, tenant, METHOD, request_id, request).await? {
            Once::New(claim) => claim,
            Once::Answered(response) => return Ok(response),
        };
        let mut subscription = found(&mut tx, tenant, &request.name).await?;
        let sealed = self
            .sealer
            .seal(place(tenant, &request.name, "secret"), &request.secret)?;
        let former = std::mem::replace(&mut subscription.secret, sealed);
        subscription.former = (until > now).then_some((former, until));
        subscription.update_time = now;
        subscriptions::put(&mut tx, tenant, &subscription).await?;
        let keys = self.public_keys(tenant, &subscription)?;
        let response = RotateSubscriptionSecretResponse {
            subscription: Some(api::subscriptions::subscription(&subscription, keys)),
        };
        self.finish(tx, claim, &response).await?;
        Ok(response)
    }

    /// Lists deliveries of a subscription, newest first.
    ///
    /// # Errors
    /// When there is none of this name.
    pub async fn list_deliveries(
        &self,
        tenant: &TenantId,
        name: &str,
        progress: Option<Progress>,
        before: Option<i64>,
        limit: i64,
    ) -> Result<Vec<Delivery>, Error> {
        let mut tx = self.database.begin("list_deliveries", &TenantSet::one(tenant)).await?;
        if subscriptions::find(&mut tx, tenant, name, Lock::None).await?.is_none() {
            return Err(Error::NotFound(name.to_owned()));
        }
        Ok(deliveries::list(&mut tx, tenant, name, progress, before, limit).await?)
    }

    /// Delivers one event again.
    ///
    /// # Errors
    /// When there is no such delivery, or its event is not kept any more.
    pub async fn retry_delivery(
        &self,
        tenant: &TenantId,
        (name, event): (&str, Uuid),
        request_id: Option<Uuid>,
        request: &RetryDeliveryRequest,
    ) -> Result<RetryDeliveryResponse, Error> {
        const METHOD: &str = "/reflex.notifications.v1.SubscriptionService/RetryDelivery";
        let mut tx = self.database.begin("retry_delivery", &TenantSet::one(tenant)).await?;
        let claim = match once::claim(&mut tx, tenant, METHOD, request_id, request).await? {
            Once::New(claim) => claim,
            Once::Answered(response) => return Ok(response),
        };
        match deliveries::retry(&mut tx, tenant, name, event, self.clock.now()).await? {
            Again::Due => {}
            Again::Missing => return Err(Error::NotFound(request.name.clone())),
            Again::Forgotten => return Err(Error::WrongState("its event is not kept any more".into())),
        }
        let response = RetryDeliveryResponse {};
        self.finish(tx, claim, &response).await?;
        Ok(response)
    }

    /// Commits a change of a subscription and lets everybody see it.
    async fn finish(&self, mut tx: Transaction, claim: Claim, response: &impl Message) -> Result<(), Error> {
        claim.answer(&mut tx, response).await?;
        tx.commit().await?;
        self.subscriptions_changed().await;
        Ok(())
    }
}

async fn found(tx: &mut Transaction, tenant: &TenantId, name: &str) -> Result<Subscription, Error> {
    let found = subscriptions::find(tx, tenant, name, Lock::ForUpdate).await?;
    found.ok_or_else(|| Error::NotFound(name.to_owned()))
}
