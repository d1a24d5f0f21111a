//! The port to whoever carries a message to a person: one trait, what a channel says about itself, and what became of
//! an attempt. Providers live in `channels/`, one file each. Templates, budgets and the ledger do not belong here.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use reflex_runtime::clock::SharedClock;
use secrecy::SecretString;
use uuid::Uuid;

use crate::domain::{account::Account, action::Action, channel::Kind};

mod application;
pub mod dingtalk;
pub mod dingtalk_notice;
pub mod email;
pub mod feishu;
pub mod http;
mod robot;
pub mod sms;
pub mod webhook;
pub mod wecom;
pub mod wecom_app;

/// Whoever carries the messages of each kind of channel.
#[derive(Clone)]
pub struct Providers {
    /// `DingTalk` robots.
    pub dingtalk_robot: Arc<dyn Channel>,
    /// `WeCom` robots.
    pub wecom_robot: Arc<dyn Channel>,
    /// Feishu robots.
    pub feishu_robot: Arc<dyn Channel>,
    /// Signed webhooks.
    pub webhook: Arc<dyn Channel>,
    /// Mail servers.
    pub email: Arc<dyn Channel>,
    /// Text messages.
    pub sms: Arc<dyn Channel>,
    /// Applications of `DingTalk`.
    pub dingtalk_notice: Arc<dyn Channel>,
    /// Applications of `WeCom`.
    pub wecom_app: Arc<dyn Channel>,
}

impl Providers {
    /// Builds all of them on one client.
    #[must_use]
    pub fn new(http: &http::HttpClient, clock: &SharedClock) -> Self {
        Self {
            dingtalk_robot: Arc::new(dingtalk::DingTalk::new(http.clone(), Arc::clone(clock))),
            wecom_robot: Arc::new(wecom::Wecom::new(http.clone())),
            feishu_robot: Arc::new(feishu::Feishu::new(http.clone(), Arc::clone(clock))),
            webhook: Arc::new(webhook::Webhook::new(http.clone(), Arc::clone(clock))),
            email: Arc::new(email::Email::new(http.clone(), Arc::clone(clock), Vec::new())),
            sms: Arc::new(sms::Sms::new(http.clone(), Arc::clone(clock))),
            dingtalk_notice: Arc::new(dingtalk_notice::channel(http.clone())),
            wecom_app: Arc::new(wecom_app::channel(http.clone())),
        }
    }

    /// Returns the one for a kind.
    #[must_use]
    pub fn of(&self, kind: Kind) -> &dyn Channel {
        match kind {
            Kind::DingtalkRobot => &*self.dingtalk_robot,
            Kind::WecomRobot => &*self.wecom_robot,
            Kind::FeishuRobot => &*self.feishu_robot,
            Kind::Webhook => &*self.webhook,
            Kind::Email => &*self.email,
            Kind::Sms => &*self.sms,
            Kind::DingtalkNotice => &*self.dingtalk_notice,
            Kind::WecomApp => &*self.wecom_app,
        }
    }
}

/// Carries rendered messages to one kind of provider.
pub trait Channel: Send + Sync {
    /// Makes one attempt; whether and when there is another one is the caller's decision.
    fn send<'a>(&'a self, endpoint: &'a Endpoint, message: &'a Rendered) -> BoxFuture<'a, Outcome>;
}

/// Where a message goes. Both parts are secrets: a robot's address carries its token.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The address a person copied from the provider's settings page.
    pub address: SecretString,
    /// The signing secret, if this endpoint asks for signatures.
    pub secret: Option<SecretString>,
    /// As whom to sign in there; empty where the address says it all.
    pub account: Account,
}

/// A message as the reader will see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rendered {
    /// One line; the notification banner shows only this.
    pub title: String,
    /// The body in the channel's `Format`.
    pub text: String,
    pub mentions: Mentions,
    /// Whom a personal channel tells.
    pub to: Addressee,
    pub about: About,
    /// What the reader can do, in the order of the buttons.
    pub actions: Vec<Button>,
}

/// Something the reader can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Button {
    /// What it does, as `domain::action` names it.
    pub action: Action,
    /// Its words, in the reader's language.
    pub label: &'static str,
    /// Where it leads. It has a token: no log may have it.
    pub url: String,
    /// Until when it does something.
    pub expire_time: Timestamp,
}

/// One person, as far as a provider needs to know them. What is empty is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addressee {
    pub mobile: String,
    pub email: String,
    /// Whether mail to the address came back lately.
    pub is_bounced: bool,
}

/// What a message is about, for readers that are programs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// Its id, the same in every attempt.
    pub message: Uuid,
    /// Key of its template, for example `lead_assigned`.
    pub template: String,
    /// "assignment" or "escalation".
    pub class: String,
    /// For example "leads/{lead}"; empty for a digest.
    pub subject: String,
    /// "members/{member}"; empty for a digest.
    pub recipient: String,
    /// When it was written.
    pub create_time: Timestamp,
}

/// Who is called by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mentions {
    pub mobiles: Vec<String>,
    pub everyone: bool,
}

/// What became of one attempt, told apart by what the caller does next.
///
/// `provider_code` is the provider's business code, or one of ours where no such answer came: `http_<status>`,
/// `timeout`, `connect`, `connection`, `malformed`, `address`, `secret`, `too_long`,
/// `no_address` (the person has none for this channel). After `timeout`, `connection`, `malformed` and `http_5xx`
/// the message may have arrived all the same; after every other refusal it has not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The provider said yes.
    Delivered { provider_code: String, latency: Duration },
    /// Nothing is wrong with the message or the endpoint; `after` is set where the provider named a wait.
    RetryLater {
        provider_code: String,
        reason: String,
        after: Option<Duration>,
    },
    /// The same attempt would fail again.
    GiveUp {
        provider_code: String,
        reason: String,
        fault: Fault,
    },
    /// The endpoint takes nothing for a while; sending into the lock gains nothing.
    LimitHit {
        provider_code: String,
        reason: String,
        locked_for: Duration,
    },
}

impl Outcome {
    /// Tells what it means that no usable answer came.
    fn unanswered(error: &http::Error) -> Self {
        let provider_code = match error {
            http::Error::Address | http::Error::Forbidden => {
                return Self::GiveUp {
                    provider_code: "address".into(),
                    reason: error.to_string(),
                    fault: Fault::Endpoint,
                };
            }
            http::Error::AnswerTooLong(_) => "malformed",
            http::Error::Connect(_) => "connect",
            http::Error::Connection(_) => "connection",
            http::Error::Timeout => "timeout",
        };
        Self::RetryLater {
            provider_code: provider_code.into(),
            reason: error.to_string(),
            after: None,
        }
    }

    /// Tells that the channel has no way to this person.
    fn no_address(what: &str) -> Self {
        Self::GiveUp {
            provider_code: "no_address".into(),
            reason: format!("the person has no {what}"),
            fault: Fault::Message,
        }
    }

    /// Returns whether the provider may have the message although it did not say so.
    #[must_use]
    pub fn may_have_arrived(&self) -> bool {
        match self {
            Self::Delivered { .. } => true,
            Self::RetryLater { provider_code, .. } => {
                matches!(provider_code.as_str(), "timeout" | "connection" | "malformed")
                    || provider_code.starts_with("http_5")
            }
            Self::GiveUp { .. } | Self::LimitHit { .. } => false,
        }
    }

    /// Returns the code for the delivery ledger.
    #[must_use]
    pub fn provider_code(&self) -> &str {
        match self {
            Self::Delivered { provider_code, .. }
            | Self::RetryLater { provider_code, .. }
            | Self::GiveUp { provider_code, .. }
            | Self::LimitHit { provider_code, .. } => provider_code,
        }
    }
}

/// What has to change before a refused message can be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The endpoint: removed, stopped or set up wrongly. Every other message to it fails as well.
    Endpoint,
    /// The endpoint, which said itself that it is gone for good: waiting for a repair gains nothing.
    Gone,
    /// The person's address: nothing reaches them there.
    Address,
    /// This message alone.
    Message,
}
