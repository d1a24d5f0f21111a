//! Sends one message of a channel: reserves budget for it, carries it to the provider outside any transaction, and writes
//! down what became of it.
//!
//! At least once: whoever dies between the provider's answer and the commit lets the message be sent again when its hold
//! is over. The row of the ledger is never doubled.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use opentelemetry::{KeyValue, metrics::Counter};
use reflex_events::{RelayWake, outbox};
use reflex_pg::{Database, DbError, Transaction};
use reflex_runtime::{clock::SharedClock, ids::SharedIds, telemetry};
use reflex_tenancy::{TenantId, TenantSet};
use tracing::{Instrument, info, info_span, warn};
use uuid::Uuid;

use super::settings::SettingsCache;
use crate::{
    channels::{Channel, Endpoint, Fault, Mentions, Outcome, Rendered},
    domain::{
        budget::{HOLD, LATEST_START, WINDOW},
        merge::{self, Send, next_send},
        message::Class,
        retry,
        template::{Key, Locale},
    },
    events::{self, Occasion},
    sealing::{Place, SealError, Sealer},
    store::{
        attempts::{self, Attempt, Told},
        channels,
        reservations::{self, Held},
        sending::{self, NewDigest, Taken},
    },
};

/// How long to leave a channel alone that cannot send until somebody changes it.
const UNUSABLE: SignedDuration = SignedDuration::from_secs(30);
/// Most people a message calls by name.
const MAX_MENTIONS: usize = 20;

/// Sends messages.
pub struct Sender {
    database: Database,
    clock: SharedClock,
    ids: SharedIds,
    sealer: Sealer,
    provider: Arc<dyn Channel>,
    settings: Arc<SettingsCache>,
    relay_wake: RelayWake,
    outcomes: Counter<u64>,
    merged: Counter<u64>,
}

/// What a sender works with.
pub struct SenderParts {
    /// The service's database.
    pub database: Database,
    /// Tells when.
    pub clock: SharedClock,
    /// Gives digests, reservations and events their ids.
    pub ids: SharedIds,
    /// Opens channels' secrets.
    pub sealer: Sealer,
    /// Carries messages.
    pub provider: Arc<dyn Channel>,
    /// Words of digests.
    pub settings: Arc<SettingsCache>,
    /// Wakes the relay after a commit with events in it.
    pub relay_wake: RelayWake,
}

/// What came of looking for something to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A message was sent, or found to be settled: look again.
    Went,
    /// There is nothing to send before these times; none means not before something new comes.
    Rest(Rest),
}

/// Until when a channel has nothing to send, by class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rest {
    /// For escalations.
    pub escalations: Option<Timestamp>,
    /// For assignments.
    pub assignments: Option<Timestamp>,
}

impl Rest {
    fn until(time: Timestamp) -> Self {
        Self {
            escalations: Some(time),
            assignments: Some(time),
        }
    }
}

/// A send failed on our side.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] DbError),
    /// The channel's secrets do not open.
    #[error("the channel is unusable")]
    Seal(#[from] SealError),
}

/// A message that may be sent now.
struct Reserved {
    message: Uuid,
    class: Class,
    rendered: Rendered,
    endpoint: Endpoint,
    reservation: Uuid,
    traceparent: Option<String>,
    since: Timestamp,
}

enum Reservation {
    Granted(Box<Reserved>),
    Gone,
    Refused(Rest),
}

impl Sender {
    /// Makes a sender.
    #[must_use]
    pub fn new(parts: SenderParts) -> Self {
        let meter = telemetry::meter();
        Self {
            database: parts.database,
            clock: parts.clock,
            ids: parts.ids,
            sealer: parts.sealer,
            provider: parts.provider,
            settings: parts.settings,
            relay_wake: parts.relay_wake,
            outcomes: meter.u64_counter("notification.attempts").build(),
            merged: meter.u64_counter("notification.merged").build(),
        }
    }

    /// Sends the next message of a channel, if its budget allows one.
    ///
    /// # Errors
    /// When the database fails or the channel's secrets do not open.
    pub async fn send_next(&self, tenant: &TenantId, channel: &str) -> Result<Step, SendError> {
        let reserved = match self.reserve(tenant, channel).await? {
            Reservation::Granted(reserved) => reserved,
            Reservation::Gone => return Ok(Step::Went),
            Reservation::Refused(rest) => return Ok(Step::Rest(rest)),
        };
        let span = info_span!("send_message", tenant = %tenant, channel, message = %reserved.message);
        if let Some(traceparent) = &reserved.traceparent {
            telemetry::set_parent(&span, traceparent);
        }
        let sending = async {
            if self.clock.now().duration_since(reserved.since) > LATEST_START {
                return self.give_back(tenant, channel, &reserved).await;
            }
            let start = self.clock.now();
            let outcome = self.provider.send(&reserved.endpoint, &reserved.rendered).await;
            self.record(tenant, channel, &reserved, start, outcome).await
        };
        sending.instrument(span).await?;
        Ok(Step::Went)
    }

    /// Decides under the channel's lock what is sent, and takes the budget for it. Only what is still pending is taken:
    /// this is the last look at the stop condition before the send.
    async fn reserve(&self, tenant: &TenantId, name: &str) -> Result<Reservation, SendError> {
        let now = self.clock.now();
        let mut tx = self.database.begin("reserve_send", &TenantSet::one(tenant)).await?;
        let Some(channel) = channels::find_for_update(&mut tx, tenant, name).await? else {
            return Ok(Reservation::Refused(Rest::until(now + UNUSABLE)));
        };
        let is_failing = channel.failures >= retry::BREAKER_FAILURES;
        let closed_until = [
            channel.locked_until,
            channel.probe_time.filter(|_| is_failing),
            (!channel.enabled).then_some(now + UNUSABLE),
        ];
        if let Some(until) = closed_until.into_iter().flatten().filter(|until| *until > now).max() {
            return Ok(Reservation::Refused(Rest::until(until)));
        }
        let held = reservations::held(&mut tx, tenant, name, now).await?;
        let tokens = channel.limits.tokens(held.count);
        let tokens = if is_failing { tokens.probe() } else { tokens };
        let waiting = sending::waiting(&mut tx, tenant, name, now).await?;
        let Some(send) = next_send(&waiting, tokens) else {
            tx.commit().await?;
            return Ok(Reservation::Refused(rest(
                &held,
                tokens.escalations == 0,
                tokens.assignments == 0,
            )));
        };
        let taken = sending::take(&mut tx, tenant, name, send, now).await?;
        let Some(first) = taken.first() else {
            return Ok(Reservation::Gone);
        };
        let (message, rendered) = match send {
            Send::Merged(class) if taken.len() > 1 => self.merge(&mut tx, tenant, name, class, &taken, now).await?,
            Send::Single(_) | Send::Merged(_) => {
                sending::hold(&mut tx, tenant, first.message, now + HOLD).await?;
                (first.message, rendered(first, vec![first.mobile.clone()]))
            }
            Send::Digest(_) => {
                sending::hold(&mut tx, tenant, first.message, now + HOLD).await?;
                let mobiles = sending::mobiles_of_digest(&mut tx, tenant, first.message).await?;
                (first.message, rendered(first, mobiles))
            }
        };
        let reservation = self.ids.next();
        reservations::add(&mut tx, tenant, name, reservation, now + HOLD).await?;
        if is_failing {
            channels::set_probe(&mut tx, tenant, name, now, retry::PROBE_INTERVAL).await?;
        }
        let endpoint = self.endpoint(tenant, &channel)?;
        tx.commit().await?;
        let (Send::Digest(class) | Send::Single(class) | Send::Merged(class)) = send;
        Ok(Reservation::Granted(Box::new(Reserved {
            message,
            class,
            rendered,
            endpoint,
            reservation,
            traceparent: first.traceparent.clone(),
            since: now,
        })))
    }

    /// Writes a digest in the place of messages.
    async fn merge(
        &self,
        tx: &mut Transaction,
        tenant: &TenantId,
        channel: &str,
        class: Class,
        taken: &[Taken],
        now: Timestamp,
    ) -> Result<(Uuid, Rendered), DbError> {
        let locale = Locale::of_person(&taken[0].locale);
        let settings = self.settings.of(tx, tenant).await?;
        let worded = settings.words(Key::Digest, locale);
        let people = taken
            .iter()
            .map(|message| (message.display_name.as_str(), message.title.as_str()));
        let lines = merge::lines(people, |more| match locale {
            Locale::ZhCn => format!("另有 {more} 条，请在收件箱查看"),
            Locale::En => format!("{more} more, see your inbox"),
        });
        let count = taken.len().to_string();
        let value = |name: &str| {
            if name == "count" {
                count.as_str()
            } else {
                lines.as_str()
            }
        };
        let title_value = |name: &str| if name == "count" { count.as_str() } else { "" };
        let words = worded.template.render(title_value, value);
        let id = self.ids.next();
        let digest = NewDigest {
            id,
            channel,
            class,
            template: &worded.name,
            title: &words.title,
            body: &words.body,
            traceparent: taken[0].traceparent.as_deref(),
            held_until: now + HOLD,
        };
        let messages: Vec<Uuid> = taken.iter().map(|message| message.message).collect();
        sending::merge(tx, tenant, &digest, &messages, now).await?;
        info!(%tenant, channel, digest = %id, messages = messages.len(), "messages are merged into a digest");
        self.merged
            .add(messages.len() as u64, &[KeyValue::new("class", class.as_str())]);
        let mobiles: BTreeSet<String> = taken.iter().map(|message| message.mobile.clone()).collect();
        let rendered = Rendered {
            title: words.title,
            text: words.body,
            mentions: mentions(mobiles.into_iter().collect()),
        };
        Ok((id, rendered))
    }

    fn endpoint(&self, tenant: &TenantId, channel: &channels::Channel) -> Result<Endpoint, SealError> {
        let place = |part| Place {
            tenant,
            channel: &channel.name,
            part,
        };
        let secret = channel.secret.as_ref();
        Ok(Endpoint {
            address: self.sealer.open(place("endpoint"), &channel.endpoint)?,
            secret: secret
                .map(|secret| self.sealer.open(place("secret"), secret))
                .transpose()?,
        })
    }

    /// Lets go of a message whose send would begin too late to be sure of the budget.
    async fn give_back(&self, tenant: &TenantId, channel: &str, reserved: &Reserved) -> Result<(), SendError> {
        let now = self.clock.now();
        let mut tx = self.database.begin("give_send_back", &TenantSet::one(tenant)).await?;
        channels::find_for_update(&mut tx, tenant, channel).await?;
        reservations::settle(&mut tx, tenant, channel, reserved.reservation, now).await?;
        sending::hold(&mut tx, tenant, reserved.message, now).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Writes down what became of a send.
    async fn record(
        &self,
        tenant: &TenantId,
        channel: &str,
        reserved: &Reserved,
        start: Timestamp,
        outcome: Outcome,
    ) -> Result<(), SendError> {
        let now = self.clock.now();
        let verdict = Verdict::of(outcome, now.duration_since(start));
        let mut tx = self.database.begin("record_attempt", &TenantSet::one(tenant)).await?;
        // The same order of locks as in the reservation.
        channels::count_answer(&mut tx, tenant, channel, verdict.is_failure_of_channel).await?;
        reservations::settle(&mut tx, tenant, channel, reserved.reservation, now + WINDOW).await?;
        let attempt = verdict.attempt(now);
        let failures = attempts::insert(&mut tx, tenant, reserved.message, &attempt).await?;
        let told = self
            .conclude(&mut tx, tenant, channel, reserved, &verdict, failures, now)
            .await?;
        tx.commit().await?;

        let class = KeyValue::new("class", reserved.class.as_str());
        self.outcomes
            .add(1, &[KeyValue::new("outcome", attempt.outcome.clone()), class]);
        if verdict.next != Next::Done {
            warn!(
                provider_code = attempt.provider_code,
                outcome = attempt.outcome,
                detail = attempt.detail,
                "a message was not taken"
            );
        }
        if told {
            self.relay_wake.wake();
        }
        Ok(())
    }

    /// Gives the message its new state, tells of it where it is final, and returns whether it told.
    async fn conclude(
        &self,
        tx: &mut Transaction,
        tenant: &TenantId,
        channel: &str,
        reserved: &Reserved,
        verdict: &Verdict,
        failures: i32,
        now: Timestamp,
    ) -> Result<bool, DbError> {
        let message = reserved.message;
        let facts: Vec<_> = match &verdict.next {
            Next::Done => {
                let told = attempts::delivered(tx, tenant, message, now).await?;
                told.iter()
                    .filter(|told| !told.is_digest)
                    .map(|told| events::notification_sent(self.occasion(tenant, reserved, now), told, channel))
                    .collect()
            }
            Next::AfterLock(locked_for) => {
                let until = now + *locked_for;
                channels::lock(tx, tenant, channel, until).await?;
                attempts::put_off(tx, tenant, message, until, failures).await?;
                Vec::new()
            }
            Next::Later(asked) if failures + 1 < retry::MAX_FAILURES => {
                let (_, spread) = message.as_u64_pair();
                let until = now + retry::delay(failures + 1, spread, *asked);
                attempts::put_off(tx, tenant, message, until, failures + 1).await?;
                Vec::new()
            }
            Next::Later(_) | Next::Never => {
                let reason = format!("{}: {}", verdict.provider_code, verdict.detail);
                let told: Vec<Told> = attempts::failed(tx, tenant, message, &reason).await?;
                told.iter()
                    .filter(|told| !told.is_digest)
                    .map(|told| {
                        events::notification_failed(self.occasion(tenant, reserved, now), told, channel, &reason)
                    })
                    .collect()
            }
        };
        outbox::push(tx, &facts).await?;
        Ok(!facts.is_empty())
    }

    fn occasion(&self, tenant: &TenantId, reserved: &Reserved, now: Timestamp) -> Occasion {
        Occasion {
            tenant: tenant.clone(),
            id: self.ids.next(),
            time: now,
            traceparent: telemetry::current_traceparent().or_else(|| reserved.traceparent.clone()),
        }
    }
}

fn rest(held: &Held, no_escalations: bool, no_assignments: bool) -> Rest {
    Rest {
        escalations: held.first_release.filter(|_| no_escalations),
        assignments: held.first_release.filter(|_| no_assignments),
    }
}

fn rendered(message: &Taken, mobiles: Vec<String>) -> Rendered {
    Rendered {
        title: message.title.clone(),
        text: message.body.clone(),
        mentions: mentions(mobiles),
    }
}

fn mentions(mut mobiles: Vec<String>) -> Mentions {
    mobiles.retain(|mobile| !mobile.is_empty());
    mobiles.truncate(MAX_MENTIONS);
    Mentions {
        mobiles,
        everyone: false,
    }
}

/// What an outcome means for the message, its channel and the ledger.
struct Verdict {
    next: Next,
    outcome: &'static str,
    provider_code: String,
    detail: String,
    latency: SignedDuration,
    is_failure_of_channel: bool,
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
    fn of(outcome: Outcome, latency: SignedDuration) -> Self {
        let signed = |duration: Duration| SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
        let (next, outcome, provider_code, detail, is_failure_of_channel) = match outcome {
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
                fault: Fault::Message,
            } => (Next::Never, "give_up", provider_code, reason, false),
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
        Self {
            next,
            outcome,
            provider_code,
            detail,
            latency,
            is_failure_of_channel,
        }
    }

    fn attempt(&self, now: Timestamp) -> Attempt {
        Attempt {
            create_time: now,
            provider_code: self.provider_code.clone(),
            outcome: self.outcome.to_owned(),
            latency: self.latency,
            detail: self.detail.clone(),
        }
    }
}
