//! Writes down what became of a send: for the message, its channel, the ledger, and those who listen.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use opentelemetry::KeyValue;
use reflex_events::{NewEvent, outbox};
use reflex_pg::{DbError, Transaction};
use reflex_runtime::telemetry;
use reflex_tenancy::TenantSet;
use tracing::warn;

use super::{Reserved, Sender};
use crate::{
    channels::{Fault, Outcome},
    domain::{budget::WINDOW, channel::Kind, retry},
    events::{self, Occasion},
    store::{
        attempts::{self, Attempt, Told},
        channels, quotas, recipients, reservations, sending,
    },
};

/// What an outcome means for the message, its channel and the ledger.
pub(super) struct Verdict {
    next: Next,
    is_failure_of_channel: bool,
    may_have_arrived: bool,
    is_address_dead: bool,
    attempt: Attempt,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Done,
    /// Try again, not before the wait the provider asked for.
    Later(Option<SignedDuration>),
    AfterLock(SignedDuration),
    Never,
}

impl Verdict {
    pub(super) fn of(outcome: Outcome, answer_time: Timestamp, latency: SignedDuration) -> Self {
        let may_have_arrived = outcome.may_have_arrived();
        let is_address_dead = matches!(
            &outcome,
            Outcome::GiveUp {
                fault: Fault::Address,
                ..
            }
        );
        let signed = |duration: Duration| SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
        let (next, name, provider_code, detail, is_failure_of_channel) = match outcome {
            Outcome::Delivered { provider_code, .. } => (Next::Done, "delivered", provider_code, String::new(), false),
            Outcome::RetryLater {
                provider_code,
                reason,
                after,
            } => (
                Next::Later(after.map(signed)),
                "retry_later",
                provider_code,
                reason,
                true,
            ),
            // Whoever owns the channel may repair it within the hour: until then the message is tried like any other.
            Outcome::GiveUp {
                provider_code,
                reason,
                fault: Fault::Endpoint,
            } => (Next::Later(None), "retry_later", provider_code, reason, true),
            Outcome::GiveUp {
                provider_code,
                reason,
                fault,
            } => (Next::Never, "give_up", provider_code, reason, fault == Fault::Gone),
            Outcome::LimitHit {
                provider_code,
                reason,
                locked_for,
            } => (
                Next::AfterLock(signed(locked_for)),
                "limit_hit",
                provider_code,
                reason,
                false,
            ),
        };
        let attempt = Attempt {
            create_time: answer_time,
            provider_code,
            outcome: name.to_owned(),
            latency,
            detail,
        };
        Self {
            next,
            is_failure_of_channel,
            may_have_arrived,
            is_address_dead,
            attempt,
        }
    }
}

impl Sender {
    /// Lets go of a message whose send would begin too late to be sure of the budget.
    pub(super) async fn give_back(&self, reserved: &Reserved) -> Result<(), DbError> {
        let Reserved { tenant, channel, .. } = reserved;
        let now = self.parts.clock.now();
        let mut tx = self
            .parts
            .database
            .begin("give_send_back", &TenantSet::one(tenant))
            .await?;
        reservations::settle(&mut tx, tenant, channel, reserved.reservation, now).await?;
        let counted = &reserved.counted;
        quotas::give_back(&mut tx, tenant, &counted.quotas, &counted.month).await?;
        sending::hold(&mut tx, tenant, reserved.message, now).await?;
        tx.commit().await
    }

    /// Writes down what became of a send.
    pub(super) async fn record(&self, reserved: &Reserved, verdict: &Verdict) -> Result<(), DbError> {
        let Reserved { tenant, channel, .. } = reserved;
        let attempt = &verdict.attempt;
        let release_time = attempt.create_time + WINDOW;
        let mut tx = self
            .parts
            .database
            .begin("record_attempt", &TenantSet::one(tenant))
            .await?;
        channels::count_answer(&mut tx, tenant, channel, verdict.is_failure_of_channel).await?;
        reservations::settle(&mut tx, tenant, channel, reserved.reservation, release_time).await?;
        if !verdict.may_have_arrived {
            let counted = &reserved.counted;
            quotas::give_back(&mut tx, tenant, &counted.quotas, &counted.month).await?;
        }
        let about = &reserved.rendered.about;
        if verdict.is_address_dead && reserved.kind == Kind::Email {
            let email = &reserved.rendered.to.email;
            recipients::set_bounced(&mut tx, tenant, &about.recipient, email, attempt.create_time).await?;
        }
        let failures = attempts::insert(&mut tx, tenant, reserved.message, attempt).await?;
        let facts = self.conclude(&mut tx, reserved, verdict, failures).await?;
        outbox::push(&mut tx, &facts).await?;
        tx.commit().await?;

        let class = KeyValue::new("class", reserved.class.as_str());
        self.outcomes
            .add(1, &[KeyValue::new("outcome", attempt.outcome.clone()), class]);
        if verdict.next != Next::Done {
            let (provider_code, outcome, detail) = (&attempt.provider_code, &attempt.outcome, &attempt.detail);
            warn!(provider_code, outcome, detail, "a message was not taken");
        }
        if !facts.is_empty() {
            self.parts.relay_wake.wake();
        }
        Ok(())
    }

    /// Gives the message its new state and returns what is to be told of it.
    async fn conclude(
        &self,
        tx: &mut Transaction,
        reserved: &Reserved,
        verdict: &Verdict,
        failures: i32,
    ) -> Result<Vec<NewEvent>, DbError> {
        let Reserved {
            tenant,
            channel,
            message,
            ..
        } = reserved;
        let now = verdict.attempt.create_time;
        // A digest tells nobody of itself, but of every message in it.
        let told_of = |told: Vec<Told>| told.into_iter().filter(|told| !told.is_digest);
        match verdict.next {
            Next::Done => {
                let told = told_of(attempts::delivered(tx, tenant, *message, now).await?);
                let sent = told.map(|told| events::notification_sent(self.occasion(reserved, now), &told, channel));
                Ok(sent.collect())
            }
            Next::AfterLock(locked_for) => {
                let until = now + locked_for;
                channels::lock(tx, tenant, channel, until).await?;
                attempts::put_off(tx, tenant, *message, until, failures).await?;
                Ok(Vec::new())
            }
            Next::Later(asked) if failures + 1 < retry::MAX_FAILURES => {
                let (_, spread) = message.as_u64_pair();
                let until = now + retry::delay(failures + 1, spread, asked);
                attempts::put_off(tx, tenant, *message, until, failures + 1).await?;
                Ok(Vec::new())
            }
            Next::Later(_) | Next::Never => {
                let reason = format!("{}: {}", verdict.attempt.provider_code, verdict.attempt.detail);
                let told = told_of(attempts::failed(tx, tenant, *message, &reason).await?);
                let failed =
                    told.map(|told| events::notification_failed(self.occasion(reserved, now), &told, channel, &reason));
                Ok(failed.collect())
            }
        }
    }

    fn occasion(&self, reserved: &Reserved, time: Timestamp) -> Occasion {
        Occasion {
            tenant: reserved.tenant.clone(),
            id: self.parts.ids.next(),
            time,
            traceparent: telemetry::current_traceparent().or_else(|| reserved.traceparent.clone()),
        }
    }
}
