//! Months beside minutes: what a tenant's quotas leave of a channel's tokens, what is given up when they are used up, and who
//! is told of it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use reflex_events::outbox;
use reflex_pg::{DbError, Transaction};
use reflex_runtime::telemetry;
use reflex_templates::{Key, Locale, template::Facts};
use reflex_tenancy::TenantId;
use tracing::warn;

use super::Sender;
use crate::{
    domain::{
        budget::Tokens,
        merge::Waiting,
        message::{Class, INBOX, State},
        quota::{self, Level},
    },
    events::{self, Occasion},
    store::{
        attempts, channels,
        messages::{self, NewMessage},
        quotas::{self, Quota},
        recipients::{self, Touch},
    },
};

/// Most messages given up in one transaction.
const PORTION: i64 = 500;

/// What a channel's messages are counted by.
#[derive(Debug, Default)]
pub(super) struct Counted {
    /// By these quotas.
    pub(super) quotas: Vec<String>,
    /// In this month.
    pub(super) month: String,
}

impl Sender {
    /// Returns, locked, what a channel's messages are counted by; nothing is asked for a tenant that has no quotas.
    pub(super) async fn quotas(
        &self,
        tx: &mut Transaction,
        tenant: &TenantId,
        channel: &channels::Channel,
        now: Timestamp,
    ) -> Result<(Vec<Quota>, String), DbError> {
        if !channel.has_quota {
            return Ok((Vec::new(), String::new()));
        }
        let month = quota::month(now, &self.parts.zone);
        let found = quotas::of_channel(tx, tenant, &channel.name, channel.kind, &month).await?;
        Ok((found, month))
    }

    /// Gives up what waits although its month is used up: a message of last month helps nobody, and the inbox has it. Returns
    /// whether there was something.
    pub(super) async fn give_up_beyond(
        &self,
        tx: &mut Transaction,
        tenant: &TenantId,
        channel: &str,
        quotas: &[Quota],
        waiting: &Waiting,
        now: Timestamp,
    ) -> Result<bool, DbError> {
        let mut is_any = false;
        for quota in quotas {
            let left = quota.monthly.tokens(quota.used);
            for (class, left, queue) in [
                (Class::Escalation, left.escalations, waiting.escalations),
                (Class::Assignment, left.assignments, waiting.assignments),
            ] {
                if left > 0 || queue.digests + queue.singles == 0 {
                    continue;
                }
                let reason = format!("quota: {} is used up for {}", quota.name, class.as_str());
                let told = attempts::give_up(tx, tenant, channel, class, &reason, now, PORTION).await?;
                is_any |= !told.is_empty();
                let facts: Vec<_> = told
                    .iter()
                    .filter(|told| !told.is_digest)
                    .map(|told| events::notification_failed(self.untraced(tenant, now), told, channel, &reason))
                    .collect();
                outbox::push(tx, &facts).await?;
                warn!(%tenant, channel, quota = quota.name, messages = facts.len(), "messages are given up, the quota is used up");
            }
        }
        Ok(is_any)
    }

    /// Counts a message that is about to be sent, and tells whoever is to be told that little or nothing is left.
    pub(super) async fn count(
        &self,
        tx: &mut Transaction,
        tenant: &TenantId,
        found: Vec<Quota>,
        month: String,
        now: Timestamp,
    ) -> Result<Counted, DbError> {
        let names: Vec<String> = found.iter().map(|quota| quota.name.clone()).collect();
        if !names.is_empty() {
            quotas::count(tx, tenant, &names, &month).await?;
        }
        for quota in found {
            let level = quota.monthly.level(quota.used + 1);
            if level != Level::Fine && level.percent() > quota.told_percent {
                quotas::set_told(tx, tenant, &quota.name, &month, level.percent()).await?;
                self.tell_of(tx, tenant, &quota, level, &month, now).await?;
            }
        }
        Ok(Counted { quotas: names, month })
    }

    /// Puts a word into the inboxes of a quota's administrators.
    async fn tell_of(
        &self,
        tx: &mut Transaction,
        tenant: &TenantId,
        quota: &Quota,
        level: Level,
        month: &str,
        now: Timestamp,
    ) -> Result<(), DbError> {
        let touches: BTreeMap<_, _> = quota
            .administrators
            .iter()
            .map(|member| {
                let touch = Touch {
                    items: 1,
                    ..Touch::default()
                };
                ((tenant.clone(), member.clone()), touch)
            })
            .collect();
        let people = recipients::touch(tx, &touches).await?;
        let settings = self.parts.settings.of(tx, tenant).await?;
        let cause_event = self.parts.ids.next();
        let facts = Facts::from([
            ("quota".to_owned(), quota.name.clone()),
            ("month".to_owned(), month.to_owned()),
            ("percent".to_owned(), level.percent().to_string()),
            ("used".to_owned(), (quota.used + 1).to_string()),
            ("messages".to_owned(), quota.monthly.messages.to_string()),
        ]);
        let written: Vec<NewMessage> = people
            .into_iter()
            .map(|((_, member), person)| {
                let worded = settings.words(Key::QuotaReached, Locale::of_person(&person.locale));
                let words = worded.template.fill(Key::QuotaReached, &facts);
                NewMessage {
                    tenant: tenant.clone(),
                    id: self.parts.ids.next(),
                    cause_event,
                    recipient: member,
                    channel: INBOX.to_owned(),
                    class: Class::Escalation,
                    subject: quota.name.clone(),
                    template: worded.name.clone(),
                    title: words.title,
                    body: words.body,
                    state: State::Delivered,
                    reason: "",
                    traceparent: None,
                    inbox_sequence: Some(person.inbox_sequence),
                    facts: Some(facts.clone().into_iter().collect()),
                    fencing_token: None,
                    cause_kind: String::new(),
                    ladder_step: None,
                }
            })
            .collect();
        messages::insert(tx, &written, now).await?;
        Ok(())
    }

    fn untraced(&self, tenant: &TenantId, time: Timestamp) -> Occasion {
        Occasion {
            tenant: tenant.clone(),
            id: self.parts.ids.next(),
            time,
            traceparent: telemetry::current_traceparent(),
        }
    }
}

/// Returns what both the minute and the months leave.
pub(super) fn least(minute: Tokens, quotas: &[Quota]) -> Tokens {
    quotas
        .iter()
        .map(|quota| quota.monthly.tokens(quota.used))
        .fold(minute, Tokens::least)
}
