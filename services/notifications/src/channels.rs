//! The port to whoever carries a message to a person: one trait, what a channel says about itself, and what became of
//! an attempt. Providers live in `channels/`, one file each. Templates, budgets and the ledger do not belong here.

use std::time::Duration;

use futures_util::future::BoxFuture;
use secrecy::SecretString;

pub mod dingtalk;
pub mod http;

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
    /// Largest request body the provider accepts.
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
    Text,
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
/// `timeout`, `connect`, `connection`, `malformed`, `address`. After `timeout`, `connection`, `malformed` and `http_5xx`
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
    /// This message alone.
    Message,
}
