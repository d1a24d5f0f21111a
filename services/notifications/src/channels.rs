//! The port to whoever carries a message to a person: one trait, what a channel says about itself, and what became of
//! an attempt. Providers live in `channels/`, one file each. Templates, budgets and the ledger do not belong here.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use reflex_runtime::clock::SharedClock;
use secrecy::SecretString;
use uuid::Uuid;

use crate::domain::{action::Action, channel::Kind};

pub mod dingtalk;
pub mod feishu;
pub mod http;
mod robot;
pub mod webhook;
pub mod wecom;

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
        }
    }
}

/// Carries rendered messages to one kind of provider.
pub trait Channel: Send + Sync {
    /// Describes what this channel can take.
    fn capability(&self) -> Capability;

    /// Makes one attempt; whether and when there is another one is the caller's decision.
    fn send<'a>(&'a self, endpoint: &'a Endpoint, message: &'a Rendered) -> BoxFuture<'a, Outcome>;
}

/// What a channel can take, so that rendering and budgets need not know the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capability {
    /// Largest message the provider accepts; what is counted, the request or the text in it, is the provider's choice.
    pub max_bytes: usize,
    pub format: Format,
    /// The provider's limit for each endpoint, if it has one.
    pub rate: Option<Rate>,
    /// Whether people can be called by name inside the message.
    pub mentions: bool,
}

/// How the body of a message is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Markdown,
    /// Markdown among the other things a program wants to know.
    Json,
}

/// A number of messages in a sliding window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pub messages: u32,
    pub per: Duration,
}

/// Where a message goes. Both parts are secrets: a robot's address carries its token.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The address a person copied from the provider's settings page.
    pub address: SecretString,
    /// The signing secret, if this endpoint asks for signatures.
    pub secret: Option<SecretString>,
}

/// A message as the reader will see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rendered {
    /// One line; the notification banner shows only this.
    pub title: String,
    /// The body in the channel's `Format`.
    pub text: String,
    pub mentions: Mentions,
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
/// `timeout`, `connect`, `connection`, `malformed`, `address`, `secret`, `too_long`. After `timeout`, `connection`, `malformed` and `http_5xx`
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
    /// This message alone.
    Message,
}

#[cfg(test)]
mod tests {
    use reflex_runtime::clock::SystemClock;

    use super::*;
    use crate::domain::channel::EndpointRules;

    #[test]
    fn each_kind_says_what_it_can_take_and_no_budget_is_above_it() {
        let http = http::HttpClient::new(http::Timeouts::default(), EndpointRules::default());
        let clock: SharedClock = Arc::new(SystemClock::default());
        let providers = Providers::new(&http, &clock);
        let a_minute = |messages| {
            Some(Rate {
                messages,
                per: Duration::from_mins(1),
            })
        };
        for (kind, max_bytes, format, rate, mentions) in [
            (Kind::DingtalkRobot, 20_000, Format::Markdown, a_minute(20), true),
            (Kind::WecomRobot, 4_096, Format::Markdown, a_minute(20), true),
            (
                Kind::FeishuRobot,
                20_480,
                Format::Markdown,
                Some(Rate {
                    messages: 100,
                    per: Duration::from_mins(1),
                }),
                false,
            ),
            (Kind::Webhook, 262_144, Format::Json, None, false),
        ] {
            let capability = providers.of(kind).capability();
            let expected = Capability {
                max_bytes,
                format,
                rate,
                mentions,
            };
            assert_eq!(capability, expected, "{kind:?}");
            if let Some(rate) = rate {
                assert!(
                    u32::try_from(kind.most_per_minute()).unwrap() <= rate.messages,
                    "{kind:?}"
                );
            }
        }
    }
}
