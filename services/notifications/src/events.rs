//! What the service listens to (facts of leads) and what it tells.

use std::sync::Arc;

use jiff::Timestamp;
use prost::Message;
use reflex_events::{Envelope, Handler, HandlerError, NewEvent};
use reflex_proto::{leads::v1 as leads, notifications::v1 as notifications};
use reflex_templates::Key;
use reflex_tenancy::TenantId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    app::{
        notify::{Facts, Notifier},
        subscriptions::fan_out::FanOut,
        watch_inbox::{NewItem, Watchers},
    },
    domain::{
        action::Action,
        message::{Class, DINGTALK, Notice, Value},
    },
    store::{attempts::Told, recipients::Change},
    wake::Wake,
};

/// The stream of leads.
pub const LEADS_STREAM: &str = "leads.v1";
/// Our own stream.
pub const STREAM: &str = "notifications.v1";
/// Our name as a source of events and as a consumer group.
pub const SERVICE: &str = "notifications";

/// Applies the facts of leads.
pub struct LeadEvents {
    /// Makes the messages.
    pub notifier: Notifier,
    /// Wakes the senders.
    pub sender_wake: Wake,
    /// Those who watch inboxes.
    pub watchers: Arc<Watchers>,
    /// Hands facts on to systems outside.
    pub fan_out: Arc<FanOut>,
}

impl Handler for LeadEvents {
    type After = Vec<NewItem>;

    fn wants(&self, kind: &str) -> bool {
        reader(kind).is_some()
    }

    fn takes(&self, event: &Envelope) -> bool {
        self.wants(&event.kind) || self.fan_out.wants(&event.tenant, &event.kind)
    }

    async fn apply(&self, tx: &mut PgConnection, events: &[Envelope]) -> Result<Vec<NewItem>, HandlerError> {
        let mut facts = Facts::default();
        for event in events {
            if let Some(read) = reader(&event.kind) {
                read(event, &mut facts)?;
            }
        }
        let items = self.notifier.notify(tx, facts).await?;
        self.fan_out.write(tx, events).await?;
        Ok(items)
    }

    fn applied(&self, items: Vec<NewItem>) {
        self.fan_out.written();
        self.sender_wake.wake();
        self.watchers.hand(items);
    }
}

/// Hands our own facts on to systems outside.
pub struct OwnEvents {
    /// Hands them on.
    pub fan_out: Arc<FanOut>,
}

impl Handler for OwnEvents {
    type After = ();

    /// Asked of events, not of kinds: who listens is a tenant's matter.
    fn wants(&self, _kind: &str) -> bool {
        false
    }

    fn takes(&self, event: &Envelope) -> bool {
        self.fan_out.wants(&event.tenant, &event.kind)
    }

    async fn apply(&self, tx: &mut PgConnection, events: &[Envelope]) -> Result<(), HandlerError> {
        Ok(self.fan_out.write(tx, events).await?)
    }

    fn applied(&self, (): ()) {
        self.fan_out.written();
    }
}

/// Adds what an event says to the facts of its batch.
type Read = fn(&Envelope, &mut Facts) -> Result<(), HandlerError>;

/// Finds how events of a kind are read; none for kinds that tell nobody anything.
fn reader(kind: &str) -> Option<Read> {
    Some(match kind {
        "reflex.leads.v1.MemberChanged" => member_changed,
        "reflex.leads.v1.LeadAssigned" => lead_assigned,
        "reflex.leads.v1.LeadEscalated" => lead_escalated,
        "reflex.leads.v1.ClaimExpired" => claim_expired,
        "reflex.leads.v1.LeadDecisionMapOverdue" => decision_map_overdue,
        "reflex.leads.v1.LeadEscalationAcknowledged" => lead_escalation_acknowledged,
        "reflex.leads.v1.LeadFirstContacted" => lead_first_contacted,
        "reflex.leads.v1.LeadMerged" => lead_merged,
        "reflex.leads.v1.LeadUnmerged" => lead_unmerged,
        "reflex.leads.v1.SubjectErased" => subject_erased,
        "reflex.leads.v1.LeadWithdrawn" => lead_withdrawn,
        _ => return None,
    })
}

fn member_changed(event: &Envelope, facts: &mut Facts) -> Result<(), HandlerError> {
    let changed: leads::MemberChanged = event.decode()?;
    let member = member(&changed.member)?;
    let change = Change {
        time: event.time,
        display_name: changed.display_name,
        team: changed.team,
        mobile: changed.mobile,
        email: changed.email,
        locale: changed.locale,
        active: changed.active,
    };
    facts.changes.push(((event.tenant.clone(), member), change));
    Ok(())
}

fn lead_first_contacted(event: &Envelope, facts: &mut Facts) -> Result<(), HandlerError> {
    let contacted: leads::LeadFirstContacted = event.decode()?;
    facts.stops.push((event.tenant.clone(), contacted.lead));
    Ok(())
}

/// Nobody is told of a ladder that ended with somebody's acknowledgement.
fn lead_escalation_acknowledged(event: &Envelope, facts: &mut Facts) -> Result<(), HandlerError> {
    let acknowledged: leads::LeadEscalationAcknowledged = event.decode()?;
    if acknowledged.ladder_stopped {
        facts.acknowledged.push((event.tenant.clone(), acknowledged.lead));
    }
    Ok(())
}

/// Nobody is reminded of a lead that stands for another.
fn lead_merged(event: &Envelope, facts: &mut Facts) -> Result<(), HandlerError> {
    let merged: leads::LeadMerged = event.decode()?;
    let survivor = merged.survivor_contacted.then_some(merged.survivor);
    for lead in std::iter::once(merged.lead).chain(survivor) {
        let subject = (event.tenant.clone(), lead);
        facts.resumes.retain(|resumed| *resumed != subject);
        facts.stops.push(subject);
    }
    Ok(())
}

fn lead_unmerged(event: &Envelope, facts: &mut Facts) -> Result<(), HandlerError> {
    let unmerged: leads::LeadUnmerged = event.decode()?;
    let lead = unmerged.waits.then_some(unmerged.lead);
    let survivor = unmerged.survivor_waits.then_some(unmerged.survivor);
    for lead in lead.into_iter().chain(survivor) {
        let subject = (event.tenant.clone(), lead);
        facts.stops.retain(|stopped| *stopped != subject);
        facts.resumes.push(subject);
    }
    Ok(())
}

fn subject_erased(event: &Envelope, facts: &mut Facts) -> Result<(), HandlerError> {
    let erased: leads::SubjectErased = event.decode()?;
    facts.erased.push((event.tenant.clone(), erased.lead));
    Ok(())
}

/// Nobody is told of a lead that is gone.
fn lead_withdrawn(event: &Envelope, facts: &mut Facts) -> Result<(), HandlerError> {
    let withdrawn: leads::LeadWithdrawn = event.decode()?;
    facts.withdrawn.push((event.tenant.clone(), withdrawn.lead));
    Ok(())
}

fn lead_assigned(event: &Envelope, facts: &mut Facts) -> Result<(), HandlerError> {
    let lead: leads::LeadAssigned = event.decode()?;
    if lead.trigger == "picked" {
        // They have just taken it themselves.
        return Ok(());
    }
    let recipient = member(&lead.owner)?;
    let values = vec![
        ("number", Value::Plain(lead.number)),
        ("recipient", Value::Member(recipient.clone())),
        ("company", Value::Typed(lead.company)),
        ("contact_name", Value::Typed(lead.contact_name)),
        ("product", Value::Typed(lead.product)),
        ("territory", Value::Typed(lead.territory)),
        ("source", Value::Typed(lead.source)),
        ("claim_due_time", Value::Time(lead.claim_due_time.and_then(instant))),
        ("contact_due_time", Value::Time(lead.contact_due_time.and_then(instant))),
    ];
    facts.notices.push(Notice {
        by_dingtalk: true,
        fencing_token: Some(lead.fencing_token),
        ..notice(
            event,
            lead.lead,
            recipient,
            Key::LeadAssigned,
            Class::Assignment,
            values,
        )
    });
    Ok(())
}

fn lead_escalated(event: &Envelope, facts: &mut Facts) -> Result<(), HandlerError> {
    let lead: leads::LeadEscalated = event.decode()?;
    let recipient = member(&lead.recipient)?;
    let owner = if lead.owner_display_name.is_empty() {
        Value::Member(lead.owner)
    } else {
        Value::Plain(lead.owner_display_name)
    };
    let values = vec![
        ("number", Value::Plain(lead.number)),
        ("owner", owner),
        ("recipient", Value::Member(recipient.clone())),
        ("deputising_for", Value::Member(lead.deputising_for)),
        ("company", Value::Typed(lead.company)),
        ("product", Value::Typed(lead.product)),
        ("contact_due_time", Value::Time(lead.contact_due_time.and_then(instant))),
        ("step", Value::Plain(lead.step.to_string())),
        ("step_count", Value::Plain(lead.step_count.to_string())),
    ];
    facts.notices.push(Notice {
        // The inbox is told whatever the ladder says: it is the one channel that is always there.
        by_dingtalk: lead.channels.iter().any(|channel| channel == DINGTALK),
        ladder_step: Some(lead.step),
        fencing_token: Some(lead.fencing_token),
        ..notice(
            event,
            lead.lead,
            recipient,
            Key::LeadEscalated,
            Class::Escalation,
            values,
        )
    });
    Ok(())
}

/// Tells nobody when the team has nobody who could be told.
fn claim_expired(event: &Envelope, facts: &mut Facts) -> Result<(), HandlerError> {
    let lead: leads::ClaimExpired = event.decode()?;
    if lead.director.is_empty() {
        return Ok(());
    }
    let recipient = member(&lead.director)?;
    let values = vec![
        ("number", Value::Plain(lead.number)),
        ("member", Value::Member(lead.member)),
        ("recipient", Value::Member(recipient.clone())),
        ("company", Value::Typed(lead.company)),
    ];
    facts.notices.push(Notice {
        by_dingtalk: true,
        ..notice(
            event,
            lead.lead,
            recipient,
            Key::ClaimExpired,
            Class::Escalation,
            values,
        )
    });
    Ok(())
}

/// Tells the owner and whoever leads them; nobody where the lead has neither. No escalation: those end with the first contact, and
/// this begins with it.
fn decision_map_overdue(event: &Envelope, facts: &mut Facts) -> Result<(), HandlerError> {
    let map: leads::LeadDecisionMapOverdue = event.decode()?;
    let mut recipients = vec![map.owner.as_str(), map.supervisor.as_str()];
    recipients.dedup();
    for recipient in recipients.into_iter().filter(|name| !name.is_empty()) {
        let recipient = member(recipient)?;
        let values = vec![
            ("number", Value::Plain(map.number.clone())),
            ("missing_roles", Value::Typed(map.missing_roles.join("、"))),
            ("owner", Value::Member(map.owner.clone())),
            ("recipient", Value::Member(recipient.clone())),
            ("due_time", Value::Time(map.due_time.and_then(instant))),
        ];
        facts.notices.push(Notice {
            by_dingtalk: true,
            ..notice(
                event,
                map.lead.clone(),
                recipient,
                Key::DecisionMapOverdue,
                Class::Assignment,
                values,
            )
        });
    }
    Ok(())
}

/// Builds a notice that goes to the inbox only.
fn notice(
    event: &Envelope,
    subject: String,
    recipient: String,
    template: Key,
    class: Class,
    values: Vec<(&'static str, Value)>,
) -> Notice {
    Notice {
        tenant: event.tenant.clone(),
        cause_event: event.id,
        traceparent: event.traceparent.clone(),
        subject,
        recipient,
        template,
        class,
        by_dingtalk: false,
        fencing_token: None,
        cause_kind: event.kind.clone(),
        ladder_step: None,
        values,
    }
}

fn member(name: &str) -> Result<String, HandlerError> {
    match name.strip_prefix("members/") {
        Some(id) if !id.is_empty() && id.len() <= 64 => Ok(name.to_owned()),
        _ => Err(HandlerError::Rejected("the event names no member".to_owned())),
    }
}

fn instant(time: prost_types::Timestamp) -> Option<Timestamp> {
    Timestamp::new(time.seconds, time.nanos).ok()
}

/// When and why something is told; the rest of an event's envelope.
#[derive(Debug, Clone)]
pub struct Occasion {
    /// Whose fact it is.
    pub tenant: TenantId,
    /// The event's id.
    pub id: Uuid,
    /// When it happened.
    pub time: Timestamp,
    /// Trace it belongs to.
    pub traceparent: Option<String>,
}

/// A provider took a message.
#[must_use]
pub fn notification_sent(occasion: Occasion, told: &Told, channel: &str) -> NewEvent {
    let sent = notifications::NotificationSent {
        message: message_name(told.message),
        recipient: told.recipient.clone(),
        subject: told.subject.clone(),
        channel: channel.to_owned(),
    };
    event(occasion, "reflex.notifications.v1.NotificationSent", told, &sent)
}

/// A message was given up.
#[must_use]
pub fn notification_failed(occasion: Occasion, told: &Told, channel: &str, reason: &str) -> NewEvent {
    let failed = notifications::NotificationFailed {
        message: message_name(told.message),
        recipient: told.recipient.clone(),
        subject: told.subject.clone(),
        channel: channel.to_owned(),
        reason: reason.to_owned(),
    };
    event(occasion, "reflex.notifications.v1.NotificationFailed", told, &failed)
}

/// A person confirmed a message of a class, with the words of a template (key and version).
#[must_use]
pub fn notification_acknowledged(occasion: Occasion, told: &Told, class: Class, template: &str) -> NewEvent {
    let acknowledged = notifications::NotificationAcknowledged {
        message: message_name(told.message),
        recipient: told.recipient.clone(),
        subject: told.subject.clone(),
        message_class: class.as_str().to_owned(),
        template: template.split('@').next().unwrap_or_default().to_owned(),
        cause_event: told.cause_event.to_string(),
    };
    event(
        occasion,
        "reflex.notifications.v1.NotificationAcknowledged",
        told,
        &acknowledged,
    )
}

/// A person did what a link of a message does.
#[must_use]
pub fn notification_answered(occasion: Occasion, told: &Told, action: Action) -> NewEvent {
    let answered = notifications::NotificationAnswered {
        message: message_name(told.message),
        recipient: told.recipient.clone(),
        subject: told.subject.clone(),
        action: action.as_str().to_owned(),
    };
    event(
        occasion,
        "reflex.notifications.v1.NotificationAnswered",
        told,
        &answered,
    )
}

fn event(occasion: Occasion, kind: &'static str, told: &Told, data: &impl Message) -> NewEvent {
    NewEvent {
        tenant: occasion.tenant,
        id: occasion.id,
        kind,
        // What is told about one lead keeps its order.
        subject: told.subject.clone(),
        time: occasion.time,
        traceparent: occasion.traceparent,
        causation_id: Some(told.cause_event),
        data: data.encode_to_vec(),
    }
}

fn message_name(id: Uuid) -> String {
    format!("messages/{id}")
}
