//! Decides under the channel's lock what is sent, and takes the budget for it.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use opentelemetry::KeyValue;
use reflex_pg::{DbError, Transaction};
use reflex_sealing::{Place, SealError};
use reflex_templates::{Key, Locale};
use reflex_tenancy::{TenantId, TenantSet};
use tracing::info;
use uuid::Uuid;

use super::{Reserved, Rest, SendError, Sender, quota::least};
use crate::{
    channels::{About, Addressee, Button, Endpoint, Mentions, Rendered},
    domain::{
        action,
        action_link::Claim,
        budget::{HOLD, Tokens, WINDOW},
        jitter::off_full_hours,
        merge::{self, Send, Surplus, next_send},
        message::Class,
        retry,
    },
    store::{
        channels::{self, Channel},
        reservations::{self, Held, Reservation as NewReservation},
        sending::{self, NewDigest, Taken},
    },
};

/// How long to leave a channel alone that cannot send until somebody changes it.
const UNUSABLE: SignedDuration = SignedDuration::from_secs(30);
/// Most people a message calls by name.
const MAX_MENTIONS: usize = 20;

/// Whether something may be sent.
pub(super) enum Reservation {
    /// This.
    Granted(Box<Reserved>),
    /// What waited was settled in this moment.
    Gone,
    /// Nothing before these times.
    Refused(Rest),
}

impl Sender {
    /// Takes the next message and the budget for it. Only what is still pending is taken: this is the last look at the
    /// stop condition before the send.
    pub(super) async fn reserve(&self, tenant: &TenantId, name: &str) -> Result<Reservation, SendError> {
        let now = self.parts.clock.now();
        let mut tx = self
            .parts
            .database
            .begin("reserve_send", &TenantSet::one(tenant))
            .await?;
        let Some(channel) = channels::find_for_update(&mut tx, tenant, name).await? else {
            return Ok(Reservation::Refused(Rest::until(now + UNUSABLE)));
        };
        let is_failing = channel.failures >= retry::BREAKER_FAILURES;
        if let Some(until) = closed_until(&channel, is_failing, now) {
            return Ok(Reservation::Refused(Rest::until(until)));
        }
        let held = reservations::held(&mut tx, tenant, name, now).await?;
        let capability = channel.kind.capability();
        if let Some(until) = spaced_until(&held, capability.spacing, now) {
            tx.commit().await?;
            return Ok(Reservation::Refused(Rest::until(until)));
        }
        let tokens = channel.limits.tokens(held.count);
        let tokens = if is_failing { tokens.probe() } else { tokens };
        let last_escalation = held.last_escalation.map(|release| release - WINDOW);
        let (tokens, paced_until) = match capability.surplus {
            Surplus::Merges => channel.limits.paced(tokens, last_escalation, now),
            Surplus::Waits => (tokens, None),
        };
        let waiting = sending::waiting(&mut tx, tenant, name, now).await?;
        let (quotas, month) = self.quotas(&mut tx, tenant, &channel, now).await?;
        if self
            .give_up_beyond(&mut tx, tenant, name, &quotas, &waiting, now)
            .await?
        {
            tx.commit().await?;
            self.parts.relay_wake.wake();
            return Ok(Reservation::Gone);
        }
        let Some(send) = next_send(&waiting, least(tokens, &quotas), capability.surplus) else {
            tx.commit().await?;
            return Ok(Reservation::Refused(rest(&held, tokens, paced_until)));
        };
        let taken = sending::take(&mut tx, tenant, name, send, now).await?;
        let Some(first) = taken.first() else {
            return Ok(Reservation::Gone);
        };
        if capability.keeps_off_full_hours && send == Send::Merged(Class::Assignment) {
            let until = off_full_hours(now, first.message.as_u128());
            if until > now {
                return Ok(Reservation::Refused(Rest {
                    escalations: None,
                    assignments: Some(until),
                }));
            }
        }
        let (message, rendered) = match send {
            Send::Merged(class) if taken.len() > 1 => self.merge(&mut tx, tenant, name, class, &taken, now).await?,
            Send::Single(class) | Send::Merged(class) => {
                sending::hold(&mut tx, tenant, first.message, now + HOLD).await?;
                let rendered = Rendered {
                    actions: self.buttons(tenant, first),
                    ..rendered(first, class, vec![first.mobile.clone()])
                };
                (first.message, rendered)
            }
            Send::Digest(class) => {
                sending::hold(&mut tx, tenant, first.message, now + HOLD).await?;
                let mobiles = sending::mobiles_of_digest(&mut tx, tenant, first.message).await?;
                (first.message, rendered(first, class, mobiles))
            }
        };
        let reservation = self.parts.ids.next();
        let (Send::Digest(class) | Send::Single(class) | Send::Merged(class)) = send;
        let held = NewReservation {
            id: reservation,
            release_time: now + HOLD,
            class,
        };
        reservations::add(&mut tx, tenant, name, held).await?;
        let counted = self.count(&mut tx, tenant, quotas, month, now).await?;
        if is_failing {
            channels::set_probe(&mut tx, tenant, name, now, retry::PROBE_INTERVAL).await?;
        }
        let endpoint = self.endpoint(tenant, &channel)?;
        tx.commit().await?;
        Ok(Reservation::Granted(Box::new(Reserved {
            tenant: tenant.clone(),
            channel: channel.name,
            kind: channel.kind,
            message,
            class,
            rendered,
            endpoint,
            reservation,
            counted,
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
        let settings = self.parts.settings.of(tx, tenant).await?;
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
        let id = self.parts.ids.next();
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
            to: Addressee::default(),
            about: About {
                message: id,
                template: Key::Digest.as_str().to_owned(),
                class: class.as_str().to_owned(),
                create_time: now,
                ..About::default()
            },
            actions: Vec::new(),
        };
        Ok((id, rendered))
    }

    /// Makes the links of a message, the same in every attempt.
    fn buttons(&self, tenant: &TenantId, message: &Taken) -> Vec<Button> {
        let key = message.template.split('@').next().and_then(Key::find);
        let (Some(links), Some(key)) = (&self.parts.links, key) else {
            return Vec::new();
        };
        let locale = Locale::of_person(&message.locale);
        let expire_time = links.expire_time(message.create_time.to_jiff());
        let buttons = action::of_template(key).iter().map(|&action| {
            let claim = Claim {
                tenant: tenant.clone(),
                message: message.message,
                recipient: message.recipient.clone(),
                action,
                expire_time,
            };
            Button {
                action,
                label: action.label(locale),
                url: links.url(&claim),
                expire_time,
            }
        });
        buttons.collect()
    }

    fn endpoint(&self, tenant: &TenantId, channel: &channels::Channel) -> Result<Endpoint, SealError> {
        let place = |part| Place {
            tenant,
            resource: &channel.name,
            part,
        };
        let secret = channel.secret.as_ref();
        Ok(Endpoint {
            address: self.parts.sealer.open(place("endpoint"), &channel.endpoint)?,
            secret: secret
                .map(|secret| self.parts.sealer.open(place("secret"), secret))
                .transpose()?,
            account: channel.account.clone(),
        })
    }
}

fn rest(held: &Held, tokens: Tokens, paced_until: Option<Timestamp>) -> Rest {
    let released = |tokens: usize| held.first_release.filter(|_| tokens == 0);
    Rest {
        escalations: paced_until.or_else(|| released(tokens.escalations)),
        assignments: released(tokens.assignments),
    }
}

fn rendered(message: &Taken, class: Class, mobiles: Vec<String>) -> Rendered {
    // Which version of the words was taken is no business of the reader.
    let template = message.template.split('@').next().unwrap_or_default();
    Rendered {
        title: message.title.clone(),
        text: message.body.clone(),
        mentions: mentions(mobiles),
        to: Addressee {
            mobile: message.mobile.clone(),
            email: message.email.clone(),
            is_bounced: message.is_bounced,
        },
        about: About {
            message: message.message,
            template: template.to_owned(),
            class: class.as_str().to_owned(),
            subject: message.subject.clone(),
            recipient: message.recipient.clone(),
            create_time: message.create_time.to_jiff(),
        },
        actions: Vec::new(),
    }
}

/// Returns until when nothing may be sent at all, whatever the budget.
fn closed_until(channel: &Channel, is_failing: bool, now: Timestamp) -> Option<Timestamp> {
    let closed_until = [
        channel.locked_until,
        channel.probe_time.filter(|_| is_failing),
        (!channel.enabled).then_some(now + UNUSABLE),
    ];
    closed_until.into_iter().flatten().filter(|until| *until > now).max()
}

/// Returns until when the provider wants to be left alone after its last answer, or after the one that a sender which died
/// would have had at the latest.
fn spaced_until(held: &Held, spacing: SignedDuration, now: Timestamp) -> Option<Timestamp> {
    let last_answer = held.last_release? - WINDOW;
    let until = last_answer + spacing;
    (!spacing.is_zero() && until > now).then_some(until)
}

fn mentions(mut mobiles: Vec<String>) -> Mentions {
    mobiles.retain(|mobile| !mobile.is_empty());
    mobiles.truncate(MAX_MENTIONS);
    Mentions {
        mobiles,
        everyone: false,
    }
}
