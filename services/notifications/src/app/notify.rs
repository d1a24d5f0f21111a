//! Turns what events say into messages: who is told, by which channels, with which words. One transaction a batch, which
//! the consumer owns; four statements at most, as this lies on the way from a customer's enquiry to a phone.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use jiff::{Timestamp, tz::TimeZone};
use reflex_pg::DbError;
use reflex_runtime::{clock::SharedClock, ids::SharedIds};
use reflex_templates::{Locale, template::Facts as Texts, text};
use reflex_tenancy::TenantId;
use serde_json::Value as Json;
use sqlx::PgConnection;

use super::{
    settings::{Settings, SettingsCache},
    watch_inbox::NewItem,
};
use crate::{
    domain::message::{Class, INBOX, Notice, State, Value},
    store::{
        erasing,
        messages::{self, NewMessage},
        recipients::{self, Change, Person, Recipient, Touch},
        stops::{self, Subject},
        withdrawing,
    },
};

/// What a batch of events says, in stream order.
#[derive(Debug, Default)]
pub struct Facts {
    /// Members that are new, changed or left.
    pub changes: Vec<(Person, Change)>,
    /// What people are to be told.
    pub notices: Vec<Notice>,
    /// Leads that were contacted, or stand for others.
    pub stops: Vec<Subject>,
    /// Leads that wait for their first contact again.
    pub resumes: Vec<Subject>,
    /// Leads whose ladder ended, as somebody it told acknowledged.
    pub acknowledged: Vec<Subject>,
    /// Leads whose people are erased.
    pub erased: Vec<Subject>,
    /// Leads that are gone.
    pub withdrawn: Vec<Subject>,
}

/// Makes messages.
pub struct Notifier {
    /// Tells when.
    pub clock: SharedClock,
    /// Gives messages their ids.
    pub ids: SharedIds,
    /// Words and ways of the tenants.
    pub settings: Arc<SettingsCache>,
    /// Zone in which people read times.
    pub zone: TimeZone,
}

impl Notifier {
    /// Writes the messages of a batch and returns the inbox items among them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn notify(&self, tx: &mut PgConnection, facts: Facts) -> Result<Vec<NewItem>, DbError> {
        let now = self.clock.now();
        stops::add(tx, &facts.stops, now).await?;
        stops::remove(tx, &facts.resumes).await?;
        let reminders: Vec<Subject> = facts
            .notices
            .iter()
            .filter(|notice| notice.class == Class::Escalation)
            .map(|notice| (notice.tenant.clone(), notice.subject.clone()))
            .collect();
        let settled = stops::among(tx, &reminders).await?;
        let is_settled = |notice: &Notice| {
            notice.class == Class::Escalation && settled.contains(&(notice.tenant.clone(), notice.subject.clone()))
        };

        let people = recipients::touch(tx, &touches(&facts, is_settled)).await?;
        let mut settings: HashMap<TenantId, Arc<Settings>> = HashMap::new();
        // The numbers of a batch's items end at the one the row has now.
        let mut items_left: HashMap<Person, i64> = HashMap::new();
        for notice in facts.notices.iter().filter(|notice| !is_settled(notice)) {
            *items_left.entry(recipient_of(notice)).or_default() += 1;
        }
        let mut written = Vec::with_capacity(facts.notices.len());
        for notice in &facts.notices {
            if !settings.contains_key(&notice.tenant) {
                let of_tenant = self.settings.of(tx, &notice.tenant).await?;
                settings.insert(notice.tenant.clone(), of_tenant);
            }
            let person = recipient_of(notice);
            let recipient = &people[&person];
            let inbox_sequence = if is_settled(notice) {
                None
            } else {
                let left = items_left.entry(person).or_default();
                *left -= 1;
                Some(recipient.inbox_sequence - *left)
            };
            let told = Told {
                notice,
                recipient,
                inbox_sequence,
            };
            self.write(&told, &settings[&notice.tenant], &people, &mut written);
        }
        let made = messages::insert(tx, &written, now).await?;
        // What is told in the same batch came before: leads takes no step of a ladder that ended.
        stops::acknowledge(tx, &facts.acknowledged).await?;
        erasing::erase(tx, &facts.erased).await?;
        // What is told in the same batch came before, as one who is gone is not told of again.
        withdrawing::withdraw(tx, &facts.withdrawn).await?;
        let is_gone = |message: &NewMessage| {
            let mut gone = facts.withdrawn.iter();
            gone.any(|(tenant, subject)| *tenant == message.tenant && *subject == message.subject)
        };
        let items = written
            .into_iter()
            .filter(|message| made.contains(&message.id) && !is_gone(message));
        Ok(items.filter_map(|message| NewItem::of(message, now)).collect())
    }

    /// Writes the messages of one notice: to the inbox, and to every group chat that concerns the recipient.
    fn write(
        &self,
        told: &Told<'_>,
        settings: &Settings,
        people: &HashMap<Person, Recipient>,
        written: &mut Vec<NewMessage>,
    ) {
        let Told {
            notice,
            recipient,
            inbox_sequence,
        } = *told;
        let worded = settings.words(notice.template, Locale::of_person(&recipient.locale));
        let texts = self.texts(notice, people);
        let words = worded.template.fill(notice.template, &texts);
        let mut facts = Some(Json::from_iter(texts));
        let chats = settings
            .ways
            .iter()
            .filter(|way| notice.by_dingtalk && (way.teams.is_empty() || way.teams.contains(&recipient.team)));
        let channels = chats.map(|way| (way.channel.as_str(), State::Pending, None));
        for (channel, state, inbox_sequence) in
            std::iter::once((INBOX, State::Delivered, inbox_sequence)).chain(channels)
        {
            let is_stopped = told.inbox_sequence.is_none();
            written.push(NewMessage {
                tenant: notice.tenant.clone(),
                id: self.ids.next(),
                cause_event: notice.cause_event,
                recipient: notice.recipient.clone(),
                channel: channel.to_owned(),
                class: notice.class,
                subject: notice.subject.clone(),
                template: worded.name.clone(),
                title: words.title.clone(),
                body: words.body.clone(),
                state: if is_stopped { State::Stopped } else { state },
                reason: if is_stopped { stops::REASON } else { "" },
                traceparent: notice.traceparent.clone(),
                inbox_sequence,
                // The inbox goes first.
                facts: facts.take(),
                fencing_token: notice.fencing_token,
                cause_kind: notice.cause_kind.clone(),
                ladder_step: notice.ladder_step,
            });
        }
    }

    /// Says what the variables stand for.
    fn texts(&self, notice: &Notice, people: &HashMap<Person, Recipient>) -> Texts {
        let texts = notice
            .values
            .iter()
            .map(|(name, value)| ((*name).to_owned(), self.text(&notice.tenant, value, people)));
        texts.filter(|(_, text)| !text.is_empty()).collect()
    }

    fn text(&self, tenant: &TenantId, value: &Value, people: &HashMap<Person, Recipient>) -> String {
        match value {
            Value::Plain(text) => text.clone(),
            Value::Typed(text) => text::without_phones(text),
            Value::Time(time) => time.map(|time| self.shown(time)).unwrap_or_default(),
            Value::Member(member) => people
                .get(&(tenant.clone(), member.clone()))
                .map(|person| person.display_name.clone())
                .unwrap_or_default(),
        }
    }

    fn shown(&self, time: Timestamp) -> String {
        time.to_zoned(self.zone.clone()).strftime("%m-%d %H:%M").to_string()
    }
}

/// A notice, and whom it reaches.
#[derive(Clone, Copy)]
struct Told<'a> {
    notice: &'a Notice,
    recipient: &'a Recipient,
    /// Number of the inbox item; none when the notice came too late.
    inbox_sequence: Option<i64>,
}

fn recipient_of(notice: &Notice) -> Person {
    (notice.tenant.clone(), notice.recipient.clone())
}

/// Gathers everybody the batch has to do with: whose data changes, who gets how many items, who is only named.
fn touches(facts: &Facts, is_settled: impl Fn(&Notice) -> bool) -> BTreeMap<Person, Touch> {
    let mut touches: BTreeMap<Person, Touch> = BTreeMap::new();
    for (person, change) in &facts.changes {
        let touch = touches.entry(person.clone()).or_default();
        if touch.change.as_ref().is_none_or(|known| known.time <= change.time) {
            touch.change = Some(change.clone());
        }
    }
    for notice in &facts.notices {
        touches.entry(recipient_of(notice)).or_default().items += i64::from(!is_settled(notice));
        for (_, value) in &notice.values {
            if let Value::Member(member) = value
                && !member.is_empty()
            {
                touches.entry((notice.tenant.clone(), member.clone())).or_default();
            }
        }
    }
    touches
}
