//! Our types as the API shows them.

pub mod subscriptions;

use jiff::{SignedDuration, Timestamp};
use reflex_proto::notifications::v1 as proto;
use reflex_templates::{Format as TextFormat, Locale, Problem};
use uuid::Uuid;

use crate::{
    app::{preview_template::Preview, put_template},
    domain::{
        action::Action,
        action_link::Claim,
        capability::{Audience, Format, Mention, Unit},
        channel::Kind,
        merge::Surplus,
        message::{Class, State},
        quota::Scope,
    },
    store::{
        answers::{Answer, Linked},
        attempts::Attempt,
        channels::Channel,
        inbox::Item,
        messages::Message,
        quotas::Quota,
        templates::OwnTemplate,
    },
};

/// Shows an inbox item.
#[must_use]
pub fn inbox_item(item: Item) -> proto::InboxItem {
    proto::InboxItem {
        name: format!("inboxItems/{}", item.id),
        recipient: item.recipient,
        title: item.title,
        body: item.body,
        subject: item.subject,
        urgent: item.class == Class::Escalation,
        create_time: Some(timestamp(item.create_time)),
        read_time: item.read_time.map(timestamp),
        message: format!("messages/{}", item.id),
    }
}

/// Shows a message without its attempts.
#[must_use]
pub fn message(message: Message) -> proto::Message {
    proto::Message {
        name: format!("messages/{}", message.id),
        recipient: message.recipient,
        template: message.template,
        subject: message.subject,
        cause_event: message.cause_event.map(|id| id.to_string()).unwrap_or_default(),
        channel: message.channel,
        state: state(message.state).into(),
        title: message.title,
        body: message.body,
        reason: message.reason,
        create_time: Some(timestamp(message.create_time)),
        deliver_time: message.deliver_time.map(timestamp),
        message_class: message.class.as_str().to_owned(),
        attempts: Vec::new(),
        answers: Vec::new(),
        cause_type: message.cause_kind,
        ladder_step: message.ladder_step.unwrap_or_default(),
    }
}

/// Shows what was done by a link.
#[must_use]
pub fn answer(answer: &Answer) -> proto::Answer {
    proto::Answer {
        kind: action_kind(answer.action).into(),
        answer_time: Some(timestamp(answer.time)),
        message: format!("messages/{}", answer.message),
    }
}

fn action_kind(action: Action) -> proto::action::Kind {
    use proto::action::Kind;
    match action {
        Action::Ack => Kind::Ack,
        Action::Claim => Kind::Claim,
        Action::Confirm => Kind::Confirm,
        Action::Ignore => Kind::Ignore,
    }
}

/// Reads an instant; none for one that is none.
#[must_use]
pub fn instant(time: prost_types::Timestamp) -> Option<Timestamp> {
    Timestamp::new(time.seconds, time.nanos).ok()
}

/// Shows what a link does, which `effect` carries out; `answered` says when it was done as people read it.
#[must_use]
pub fn action(claim: &Claim, linked: &Linked, effect: Uuid, answered: Option<String>) -> proto::Action {
    use proto::action::State;
    let state = match (linked.gone.as_deref(), linked.answer_time) {
        (Some("erased"), _) => State::Erased,
        (Some(_), _) => State::Withdrawn,
        (None, Some(_)) => State::Answered,
        (None, None) => State::Open,
    };
    proto::Action {
        kind: action_kind(claim.action).into(),
        message: format!("messages/{}", claim.message),
        recipient: linked.recipient.clone(),
        recipient_display_name: linked.recipient_display_name.clone(),
        subject: linked.subject.clone(),
        title: linked.title.clone(),
        state: state.into(),
        expire_time: Some(timestamp(claim.expire_time)),
        answer_time: linked.answer_time.map(timestamp),
        answer_time_shown: answered.unwrap_or_default(),
        fencing_token: linked.fencing_token.unwrap_or_default(),
        effect_request_id: effect.to_string(),
        locale: Locale::of_person(&linked.locale).as_str().to_owned(),
        template: linked.template.split('@').next().unwrap_or_default().to_owned(),
    }
}

/// Shows an attempt.
#[must_use]
pub fn attempt(attempt: Attempt) -> proto::Attempt {
    proto::Attempt {
        create_time: Some(timestamp(attempt.create_time)),
        provider_code: attempt.provider_code,
        outcome: attempt.outcome,
        latency: Some(duration(attempt.latency)),
        detail: attempt.detail,
    }
}

/// Shows a channel of which `held` reservations count, without its secrets.
#[must_use]
pub fn channel(channel: &Channel, held: i64, now: Timestamp) -> proto::Channel {
    let is_open = channel.enabled && channel.locked_until.is_none_or(|until| until <= now);
    let available = if is_open {
        channel.limits.tokens(held).escalations
    } else {
        0
    };
    proto::Channel {
        name: channel.name.clone(),
        kind: kind(channel.kind).into(),
        endpoint: channel.endpoint_shown.clone(),
        secret: String::new(),
        teams: channel.teams.clone(),
        messages_per_minute: channel.limits.per_minute,
        reserved_for_escalations: channel.limits.reserved,
        enabled: channel.enabled,
        available_now: i32::try_from(available).unwrap_or(i32::MAX),
        account: channel.account.user.clone(),
        sender: channel.account.sender.clone(),
        template: channel.account.template.clone(),
    }
}

/// Shows what a kind of channel can take.
#[must_use]
pub fn channel_capability(of: Kind) -> proto::ChannelKind {
    let capability = of.capability();
    proto::ChannelKind {
        kind: kind(of).into(),
        max_size: i32::try_from(capability.max_size).unwrap_or(i32::MAX),
        size_unit: match capability.unit {
            Unit::RequestBytes => "request_bytes",
            Unit::TextBytes => "text_bytes",
            Unit::Characters => "characters",
        }
        .to_owned(),
        format: match capability.format {
            Format::Markdown => "markdown",
            Format::Json => "json",
            Format::Html => "html",
            Format::Template => "template",
        }
        .to_owned(),
        mention: match capability.mention {
            Mention::Nobody => "nobody",
            Mention::Mobile => "mobile",
        }
        .to_owned(),
        audience: match capability.audience {
            Audience::Group => "group",
            Audience::Person => "person",
            Audience::Program => "program",
        }
        .to_owned(),
        most_per_minute: capability.most_per_minute,
        usual_per_minute: capability.usual_per_minute,
        spacing: Some(duration(capability.spacing)),
        surplus: match capability.surplus {
            Surplus::Merges => "merges",
            Surplus::Waits => "waits",
        }
        .to_owned(),
        keeps_off_full_hours: capability.keeps_off_full_hours,
    }
}

/// Shows a quota with what is used of a month.
#[must_use]
pub fn quota(quota: Quota, month: String) -> proto::Quota {
    let (channel, of_kind) = match quota.scope {
        Scope::Channel(channel) => (channel, proto::channel::Kind::Unspecified),
        Scope::Kind(of) => (String::new(), kind(of)),
        Scope::Every => (String::new(), proto::channel::Kind::Unspecified),
    };
    proto::Quota {
        name: quota.name,
        channel,
        of_kind: of_kind.into(),
        messages_per_month: quota.monthly.messages,
        reserved_for_escalations: quota.monthly.reserved,
        administrators: quota.administrators,
        used: quota.used,
        month,
    }
}

/// Reads the kind of a channel; none for a number that stands for nothing.
#[must_use]
pub fn channel_kind(number: i32) -> Option<Kind> {
    Kind::ALL.into_iter().find(|of| i32::from(kind(*of)) == number)
}

fn kind(of: Kind) -> proto::channel::Kind {
    match of {
        Kind::DingtalkRobot => proto::channel::Kind::DingtalkRobot,
        Kind::WecomRobot => proto::channel::Kind::WecomRobot,
        Kind::FeishuRobot => proto::channel::Kind::FeishuRobot,
        Kind::Webhook => proto::channel::Kind::Webhook,
        Kind::Email => proto::channel::Kind::Email,
        Kind::Sms => proto::channel::Kind::Sms,
        Kind::DingtalkNotice => proto::channel::Kind::DingtalkNotice,
        Kind::WecomApp => proto::channel::Kind::WecomApp,
    }
}

/// Shows a template.
#[must_use]
pub fn template(template: OwnTemplate) -> proto::Template {
    proto::Template {
        key: template.key.as_str().to_owned(),
        locale: template.locale.as_str().to_owned(),
        title: template.title,
        body: template.body,
        publish_time: (template.version > 0).then(|| timestamp(template.publish_time)),
        version: template.version,
        publisher: template.publisher,
    }
}

/// Shows how a template would read.
#[must_use]
pub fn preview(preview: Preview) -> proto::PreviewTemplateResponse {
    let renderings = preview.renderings().into_iter();
    proto::PreviewTemplateResponse {
        renderings: renderings
            .map(|(of, words)| proto::preview_template_response::Rendering {
                format: text_format(of).into(),
                title: words.title,
                text: words.body,
            })
            .collect(),
        problems: preview
            .words
            .err()
            .into_iter()
            .flatten()
            .map(template_problem)
            .collect(),
        template: preview.template,
    }
}

fn template_problem(problem: Problem) -> proto::TemplateProblem {
    proto::TemplateProblem {
        field: put_template::field(problem.part).to_owned(),
        code: problem.code.as_str().to_owned(),
        message_zh: problem.zh,
        message_en: problem.en,
    }
}

fn text_format(of: TextFormat) -> proto::preview_template_response::Format {
    use proto::preview_template_response::Format as Shown;
    match of {
        TextFormat::Markdown => Shown::Markdown,
        TextFormat::WecomMarkdown => Shown::WecomMarkdown,
        TextFormat::FeishuMarkdown => Shown::FeishuMarkdown,
        TextFormat::Html => Shown::Html,
        TextFormat::Plain => Shown::Plain,
    }
}

/// Reads the state to filter by; none for "any".
///
/// # Errors
/// When the number stands for nothing.
pub fn state_filter(number: i32) -> Result<Option<State>, prost::UnknownEnumValue> {
    let wanted = proto::message::State::try_from(number)?;
    Ok(State::ALL.into_iter().find(|of| state(*of) == wanted))
}

fn state(of: State) -> proto::message::State {
    match of {
        State::Pending => proto::message::State::Pending,
        State::Delivered => proto::message::State::Delivered,
        State::Merged => proto::message::State::Merged,
        State::Stopped => proto::message::State::Stopped,
        State::Failed => proto::message::State::Failed,
    }
}

fn timestamp(time: Timestamp) -> prost_types::Timestamp {
    // Rounds down before 1970, as the type asks.
    let microseconds = time.as_microsecond();
    prost_types::Timestamp {
        seconds: microseconds.div_euclid(1_000_000),
        nanos: i32::try_from(microseconds.rem_euclid(1_000_000) * 1_000).expect("less than a second"),
    }
}

fn duration(of: SignedDuration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: of.as_secs(),
        nanos: of.subsec_nanos(),
    }
}
