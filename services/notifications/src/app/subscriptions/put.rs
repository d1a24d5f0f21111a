//! Sets subscriptions up.

use reflex_expr::Lang;
use reflex_pg::once::{self, Once};
use reflex_proto::notifications::v1::{PutSubscriptionRequest, PutSubscriptionResponse};
use reflex_tenancy::{TenantId, TenantSet};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::{catalogue::catalogue, dispatch::place, listeners::Filter};
use crate::{
    api,
    app::App,
    domain::{
        Problem,
        channel::{Kind, masked},
        subscription::{State, check_secret, health::Health},
    },
    error::Error,
    store::subscriptions::{self, Lock, Subscription, Wish},
};

/// Permission for people's data unmasked.
const READ_CONTACT: &str = "leads.read_contact";
const ENDPOINT: &str = "subscription.endpoint";

/// A subscription as somebody wants it.
#[derive(Debug, Clone)]
pub struct WantedSubscription {
    /// "subscriptions/{subscription}".
    pub name: String,
    /// Address; empty, or as it is shown, keeps the present one.
    pub endpoint: SecretString,
    /// Secret; empty keeps the present one.
    pub secret: SecretString,
    /// Which events.
    pub wish: Wish,
    /// Whether whoever asks may see people's data.
    pub may_read_contact: bool,
}

impl App {
    /// Creates or changes a subscription.
    ///
    /// # Errors
    /// When its address, types, filter or secret are not what they must be, or people's data is not the caller's to give.
    pub async fn put_subscription(
        &self,
        tenant: &TenantId,
        wanted: WantedSubscription,
        request_id: Option<Uuid>,
        request: &PutSubscriptionRequest,
    ) -> Result<PutSubscriptionResponse, Error> {
        const METHOD: &str = "/reflex.notifications.v1.SubscriptionService/PutSubscription";
        if wanted.wish.personal_data && !wanted.may_read_contact {
            return Err(Error::Denied(READ_CONTACT));
        }
        check_wish(&wanted.wish)?;
        let address = wanted.endpoint.expose_secret();
        // As it is shown it may not lead anywhere, and is not looked at again.
        if !address.is_empty() && !address.contains("***") {
            self.subscribing.http.check(address).await.map_err(at_endpoint)?;
        }
        let mut tx = self.database.begin("put_subscription", &TenantSet::one(tenant)).await?;
        let claim = match once::claim(&mut tx, tenant, METHOD, request_id, request).await? {
            Once::New(claim) => claim,
            Once::Answered(response) => return Ok(response),
        };
        let present = subscriptions::find(&mut tx, tenant, &wanted.name, Lock::ForUpdate).await?;
        let subscription = self.build_subscription(tenant, wanted, present)?;
        subscriptions::put(&mut tx, tenant, &subscription).await?;
        let response = PutSubscriptionResponse {
            subscription: Some(api::subscriptions::subscription(
                &subscription,
                self.public_keys(tenant, &subscription)?,
            )),
        };
        claim.answer(&mut tx, &response).await?;
        tx.commit().await?;
        self.subscriptions_changed().await;
        Ok(response)
    }

    fn build_subscription(
        &self,
        tenant: &TenantId,
        wanted: WantedSubscription,
        present: Option<Subscription>,
    ) -> Result<Subscription, Error> {
        let now = self.clock.now();
        let address = wanted.endpoint.expose_secret();
        let keeps_address = |present: &Subscription| address.is_empty() || address == present.endpoint_shown;
        let (endpoint, endpoint_shown) = match &present {
            Some(present) if keeps_address(present) => (present.endpoint.clone(), present.endpoint_shown.clone()),
            _ => {
                self.endpoint_rules.check(Kind::Webhook, address).map_err(at_endpoint)?;
                let sealed = self.sealer.seal(place(tenant, &wanted.name, "endpoint"), address)?;
                (sealed, masked(Kind::Webhook, address))
            }
        };
        let secret = wanted.secret.expose_secret();
        let (secret, former) = match &present {
            Some(present) if secret.is_empty() => (present.secret.clone(), present.former.clone()),
            _ => {
                check_secret("subscription.secret", secret).map_err(invalid)?;
                (self.sealer.seal(place(tenant, &wanted.name, "secret"), secret)?, None)
            }
        };
        let (state, reason) = match &present {
            Some(present) => (present.state, present.reason.clone()),
            None => (State::Active, String::new()),
        };
        Ok(Subscription {
            endpoint,
            endpoint_shown,
            secret,
            former,
            wish: wanted.wish,
            state,
            reason,
            // Whoever changes a subscription has probably repaired it.
            health: Health::default(),
            create_time: present.map_or(now, |present| present.create_time),
            update_time: now,
            name: wanted.name,
        })
    }

    /// Lets fan-out and senders see what was committed.
    pub(super) async fn subscriptions_changed(&self) {
        if let Err(error) = self.subscribing.listeners.refresh().await {
            tracing::warn!(%error, "subscriptions could not be read, the next look will find them");
        }
        self.subscribing.wake.wake();
    }
}

fn check_wish(wish: &Wish) -> Result<(), Error> {
    let mut problems = Vec::new();
    for name in &wish.event_types {
        if catalogue().kind_of(name).is_none() {
            let near = catalogue()
                .nearest(name)
                .map(|near| format!(", did you mean {near:?}?"));
            let description = format!("has no event {name:?}{}", near.unwrap_or_default());
            problems.push(Problem::new("subscription.event_types", description));
        }
    }
    if problems.is_empty()
        && !wish.filter.is_empty()
        && let Err(error) = Filter::compile(&wish.filter, &wish.event_types, wish.personal_data)
    {
        problems.push(Problem::new("subscription.filter", error.text(Lang::En)));
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Error::Invalid(problems))
    }
}

fn at_endpoint(problem: Problem) -> Error {
    invalid(Problem {
        field: ENDPOINT,
        ..problem
    })
}

pub(super) fn invalid(problem: Problem) -> Error {
    Error::Invalid(vec![problem])
}
