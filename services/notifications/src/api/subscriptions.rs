//! Subscriptions and their deliveries as the API shows them.

use reflex_proto::notifications::v1 as proto;

use super::{duration, timestamp};
use crate::{
    app::subscriptions::catalogue::catalogue,
    domain::subscription::{Progress, State},
    store::{
        deliveries::{Delivery, Tried},
        subscriptions::Subscription,
    },
};

/// Shows a subscription without its secrets.
#[must_use]
pub fn subscription(subscription: &Subscription, public_keys: Vec<String>) -> proto::Subscription {
    proto::Subscription {
        name: subscription.name.clone(),
        endpoint: subscription.endpoint_shown.clone(),
        event_types: subscription.wish.event_types.clone(),
        filter: subscription.wish.filter.clone(),
        secret: String::new(),
        personal_data: subscription.wish.personal_data,
        state: state(subscription.state).into(),
        reason: subscription.reason.clone(),
        public_keys,
        overlap_end_time: subscription.former.as_ref().map(|(_, until)| timestamp(*until)),
        failures: subscription.health.failures,
        probe_time: subscription.health.probe_time.map(timestamp),
        create_time: Some(timestamp(subscription.create_time)),
        update_time: Some(timestamp(subscription.update_time)),
    }
}

/// Shows a delivery of a subscription.
#[must_use]
pub fn delivery(of: &str, delivery: Delivery) -> proto::Delivery {
    let waits = delivery.progress == Progress::Pending;
    // A kind that this release does not know is called by its full name.
    let name_of = |kind: String| catalogue().of_kind(&kind).map_or(kind, |entry| entry.name.clone());
    proto::Delivery {
        name: format!("{of}/deliveries/{}", delivery.event),
        event_type: delivery.kind.map(name_of).unwrap_or_default(),
        subject: delivery.subject,
        state: progress(delivery.progress).into(),
        reason: delivery.reason,
        event_time: delivery.event_time.map(timestamp),
        create_time: Some(timestamp(delivery.create_time)),
        next_attempt_time: waits.then(|| timestamp(delivery.next_attempt_time)),
        deliver_time: delivery.deliver_time.map(timestamp),
        attempt_count: delivery.attempt_count,
        attempts: delivery.attempts.into_iter().map(attempt).collect(),
    }
}

/// Shows an attempt.
#[must_use]
pub fn attempt(tried: Tried) -> proto::DeliveryAttempt {
    proto::DeliveryAttempt {
        number: tried.number,
        status_code: tried.status,
        outcome: tried.outcome,
        detail: tried.detail,
        latency: Some(duration(tried.latency)),
        create_time: Some(timestamp(tried.create_time)),
    }
}

/// Reads how far deliveries must have come; none for "any".
///
/// # Errors
/// When the number stands for nothing.
pub fn progress_filter(number: i32) -> Result<Option<Progress>, prost::UnknownEnumValue> {
    let wanted = proto::delivery::State::try_from(number)?;
    Ok(Progress::ALL.into_iter().find(|of| progress(*of) == wanted))
}

fn progress(of: Progress) -> proto::delivery::State {
    match of {
        Progress::Pending => proto::delivery::State::Pending,
        Progress::Delivered => proto::delivery::State::Delivered,
        Progress::Failed => proto::delivery::State::Failed,
    }
}

fn state(of: State) -> proto::subscription::State {
    match of {
        State::Active => proto::subscription::State::Active,
        State::Paused => proto::subscription::State::Paused,
        State::Disabled => proto::subscription::State::Disabled,
    }
}
