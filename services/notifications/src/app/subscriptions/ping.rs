//! Tries an endpoint out.

use reflex_tenancy::{TenantId, TenantSet};
use serde_json::{Map, json};

use super::dispatch::{Keychain, Unusable, body};
use crate::{
    app::App,
    error::Error,
    store::{
        deliveries::Tried,
        dispatching::Sealed,
        subscriptions::{self, Lock},
    },
};

/// What a ping is called.
const PING: &str = "subscription.ping.v1";

impl App {
    /// Sends a ping to the endpoint of a subscription, outside any transaction, and tells what came back.
    ///
    /// # Errors
    /// When there is none of this name.
    pub async fn test_subscription(&self, tenant: &TenantId, name: &str) -> Result<Tried, Error> {
        let mut tx = self
            .database
            .begin("test_subscription", &TenantSet::one(tenant))
            .await?;
        let found = subscriptions::find(&mut tx, tenant, name, Lock::None).await?;
        tx.commit().await?;
        let subscription = found.ok_or_else(|| Error::NotFound(name.to_owned()))?;
        let sealed = Sealed {
            endpoint: subscription.endpoint,
            secret: subscription.secret,
            former: subscription.former,
            personal_data: false,
            health: subscription.health,
            version: 0,
        };
        let key = (tenant.clone(), subscription.name);
        let keychain = Keychain::open(&self.sealer, &key, &sealed).map_err(|error| match error {
            Unusable::Seal(error) => Error::Seal(error),
            Unusable::Key => Error::WrongState("its secret is no key that signs".into()),
        })?;
        let (now, id) = (self.clock.now(), self.ids.next());
        let data = Map::from_iter([("subscription".to_owned(), json!(name))]);
        let body = body(tenant, PING, (id, now), name, &data);
        let verdict = keychain.post(&self.subscribing.http, now, id, body).await;
        Ok(Tried {
            number: 0,
            outcome: verdict.outcome.as_str().to_owned(),
            status: verdict.status,
            detail: verdict.detail,
            latency: verdict.latency,
            create_time: self.clock.now(),
        })
    }
}
