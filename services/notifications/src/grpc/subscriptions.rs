//! `SubscriptionService`.

use jiff::{SignedDuration, Timestamp};
use reflex_proto::notifications::v1::{
    DeleteSubscriptionRequest, DeleteSubscriptionResponse, GetSubscriptionRequest, GetSubscriptionResponse,
    ListDeliveriesRequest, ListDeliveriesResponse, ListSubscriptionsRequest, ListSubscriptionsResponse,
    PauseSubscriptionRequest, PauseSubscriptionResponse, PutSubscriptionRequest, PutSubscriptionResponse,
    ReplaySubscriptionRequest, ReplaySubscriptionResponse, ResumeSubscriptionRequest, ResumeSubscriptionResponse,
    RetryDeliveryRequest, RetryDeliveryResponse, RotateSubscriptionSecretRequest, RotateSubscriptionSecretResponse,
    Subscription, TestSubscriptionRequest, TestSubscriptionResponse, subscription_service_server::SubscriptionService,
};
use reflex_rpc::{
    identity::Caller,
    page::page_size,
    status::{Violations, not_found},
};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{Rpc, check_name, cut, request_id, uuid_of};
use crate::{
    api::subscriptions as api,
    app::subscriptions::{manage::Turn, put::WantedSubscription, replay::Span},
    domain::subscription::{MAX_FILTER, MAX_SECRET, MAX_TYPES, SUBSCRIPTION_PREFIX},
    store::subscriptions::Wish,
};

/// Longest name of an event type.
const MAX_TYPE: usize = 100;
/// Stands between a subscription's name and an event's id in the name of a delivery.
const DELIVERIES: &str = "/deliveries/";

#[tonic::async_trait]
impl SubscriptionService for Rpc {
    async fn put_subscription(
        &self,
        request: Request<PutSubscriptionRequest>,
    ) -> Result<Response<PutSubscriptionResponse>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let mut violations = Violations::default();
        let request_id = request_id(&request.request_id, &mut violations);
        let mut wanted = wanted(request.subscription.clone().unwrap_or_default(), &mut violations);
        wanted.may_read_contact = caller.may("leads.read_contact");
        violations.finish()?;
        let put = self.app.put_subscription(&caller.tenant, wanted, request_id, &request);
        Ok(Response::new(put.await?))
    }

    async fn get_subscription(
        &self,
        request: Request<GetSubscriptionRequest>,
    ) -> Result<Response<GetSubscriptionResponse>, Status> {
        let caller = Caller::of(&request)?;
        let name = request.into_inner().name;
        let (subscription, keys) = self.app.get_subscription(&caller.tenant, &name).await?;
        Ok(Response::new(GetSubscriptionResponse {
            subscription: Some(api::subscription(&subscription, keys)),
        }))
    }

    async fn list_subscriptions(
        &self,
        request: Request<ListSubscriptionsRequest>,
    ) -> Result<Response<ListSubscriptionsResponse>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let size = page_size(request.page_size, 100, 500)?;
        let query = ("subscriptions", &caller.tenant);
        let after: Option<String> = self.pages.decode(&query, &request.page_token)?;
        let listed = self.app.list_subscriptions(&caller.tenant, after.as_deref(), size + 1);
        let mut listed = listed.await?;
        let next_page_token = cut(&self.pages, &query, size, &mut listed, |(one, _)| one.name.clone());
        Ok(Response::new(ListSubscriptionsResponse {
            subscriptions: listed
                .into_iter()
                .map(|(one, keys)| api::subscription(&one, keys))
                .collect(),
            next_page_token,
        }))
    }

    async fn pause_subscription(
        &self,
        request: Request<PauseSubscriptionRequest>,
    ) -> Result<Response<PauseSubscriptionResponse>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let id = only_request_id(&request.request_id)?;
        let answer = |subscription| PauseSubscriptionResponse {
            subscription: Some(subscription),
        };
        let turn = (request.name.as_str(), Turn::Pause);
        let paused = self.app.turn_subscription(&caller.tenant, turn, id, &request, answer);
        Ok(Response::new(paused.await?))
    }

    async fn resume_subscription(
        &self,
        request: Request<ResumeSubscriptionRequest>,
    ) -> Result<Response<ResumeSubscriptionResponse>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let id = only_request_id(&request.request_id)?;
        let answer = |subscription| ResumeSubscriptionResponse {
            subscription: Some(subscription),
        };
        let turn = (request.name.as_str(), Turn::Resume);
        let resumed = self.app.turn_subscription(&caller.tenant, turn, id, &request, answer);
        Ok(Response::new(resumed.await?))
    }

    async fn delete_subscription(
        &self,
        request: Request<DeleteSubscriptionRequest>,
    ) -> Result<Response<DeleteSubscriptionResponse>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let id = only_request_id(&request.request_id)?;
        let deleted = self.app.delete_subscription(&caller.tenant, id, &request);
        Ok(Response::new(deleted.await?))
    }

    async fn rotate_subscription_secret(
        &self,
        request: Request<RotateSubscriptionSecretRequest>,
    ) -> Result<Response<RotateSubscriptionSecretResponse>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let mut violations = Violations::default();
        let id = request_id(&request.request_id, &mut violations);
        violations.text("secret", &request.secret, 1..=MAX_SECRET);
        // Nanoseconds beyond a second are no duration; they come to nothing.
        let nanos = |nanos: i32| if nanos.unsigned_abs() < 1_000_000_000 { nanos } else { 0 };
        let overlap = request.overlap.map(|overlap| {
            SignedDuration::from_secs(overlap.seconds)
                .saturating_add(SignedDuration::from_nanos(nanos(overlap.nanos).into()))
        });
        violations.finish()?;
        let rotated = self
            .app
            .rotate_subscription_secret(&caller.tenant, overlap, id, &request);
        Ok(Response::new(rotated.await?))
    }

    async fn replay_subscription(
        &self,
        request: Request<ReplaySubscriptionRequest>,
    ) -> Result<Response<ReplaySubscriptionResponse>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let mut violations = Violations::default();
        let id = request_id(&request.request_id, &mut violations);
        let from = request.from_time.map(|time| Timestamp::new(time.seconds, time.nanos));
        let from = from.transpose().unwrap_or_else(|_| {
            violations.add("from_time", "is no instant");
            None
        });
        violations.finish()?;
        let seconds = request.from_time.map(|time| (time.seconds, time.nanos));
        let query = ("replay", &caller.tenant, &request.name, seconds);
        let after: Option<i64> = self.pages.decode(&query, &request.cursor)?;
        let span = Span {
            after: after.unwrap_or(0),
            from,
        };
        let cursor = |sequence: i64| self.pages.encode(&query, &sequence);
        let replayed = self.app.replay_subscription(&caller.tenant, span, id, &request, cursor);
        Ok(Response::new(replayed.await?))
    }

    async fn list_deliveries(
        &self,
        request: Request<ListDeliveriesRequest>,
    ) -> Result<Response<ListDeliveriesResponse>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let mut violations = Violations::default();
        let progress = api::progress_filter(request.state).unwrap_or_else(|_| {
            violations.add("state", "is no known state");
            None
        });
        violations.finish()?;
        let size = page_size(request.page_size, 50, 200)?;
        let query = ("deliveries", &caller.tenant, &request.parent, request.state);
        let before: Option<i64> = self.pages.decode(&query, &request.page_token)?;
        let listed = self
            .app
            .list_deliveries(&caller.tenant, &request.parent, progress, before, size + 1);
        let mut listed = listed.await?;
        let next_page_token = cut(&self.pages, &query, size, &mut listed, |delivery| delivery.sequence);
        Ok(Response::new(ListDeliveriesResponse {
            deliveries: listed
                .into_iter()
                .map(|delivery| api::delivery(&request.parent, delivery))
                .collect(),
            next_page_token,
        }))
    }

    async fn retry_delivery(
        &self,
        request: Request<RetryDeliveryRequest>,
    ) -> Result<Response<RetryDeliveryResponse>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let id = only_request_id(&request.request_id)?;
        let delivery = delivery_of(&request.name)?;
        let retried = self.app.retry_delivery(&caller.tenant, delivery, id, &request);
        Ok(Response::new(retried.await?))
    }

    async fn test_subscription(
        &self,
        request: Request<TestSubscriptionRequest>,
    ) -> Result<Response<TestSubscriptionResponse>, Status> {
        let caller = Caller::of(&request)?;
        let name = request.into_inner().name;
        let tried = self.app.test_subscription(&caller.tenant, &name).await?;
        Ok(Response::new(TestSubscriptionResponse {
            attempt: Some(api::attempt(tried)),
        }))
    }
}

fn wanted(subscription: Subscription, violations: &mut Violations) -> WantedSubscription {
    check_name(violations, "subscription.name", SUBSCRIPTION_PREFIX, &subscription.name);
    violations.text("subscription.secret", &subscription.secret, 0..=MAX_SECRET);
    violations.text("subscription.filter", &subscription.filter, 0..=MAX_FILTER);
    if subscription.event_types.len() > MAX_TYPES {
        violations.add(
            "subscription.event_types",
            format!("must have at most {MAX_TYPES} entries"),
        );
    }
    for (at, name) in subscription.event_types.iter().take(MAX_TYPES).enumerate() {
        violations.text(&format!("subscription.event_types[{at}]"), name, 1..=MAX_TYPE);
    }
    WantedSubscription {
        name: subscription.name,
        endpoint: subscription.endpoint.into(),
        secret: subscription.secret.into(),
        wish: Wish {
            event_types: subscription.event_types,
            filter: subscription.filter.trim().to_owned(),
            personal_data: subscription.personal_data,
        },
        may_read_contact: false,
    }
}

fn only_request_id(text: &str) -> Result<Option<Uuid>, Status> {
    let mut violations = Violations::default();
    let id = request_id(text, &mut violations);
    violations.finish()?;
    Ok(id)
}

/// Reads the name of a delivery; what is no such name does not exist.
fn delivery_of(name: &str) -> Result<(&str, Uuid), Status> {
    let (subscription, event) = name.split_once(DELIVERIES).ok_or_else(|| not_found(name))?;
    Ok((subscription, uuid_of("", event)?))
}
