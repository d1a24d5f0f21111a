//! What a message is: its class, where it stands, and the notice it is made from.

use jiff::Timestamp;
use reflex_templates::Key;
use reflex_tenancy::TenantId;
use uuid::Uuid;

/// The way every message goes: the in-app inbox.
pub const INBOX: &str = "inbox";
/// How an escalation's list of channels names the configured channels, whatever their kind: the oldest stands for all.
pub const DINGTALK: &str = "dingtalk";
/// What the names of messages begin with.
pub const MESSAGE_PREFIX: &str = "messages/";
/// What the names of configured channels begin with.
pub const CHANNEL_PREFIX: &str = "channels/";

/// How pressing a message is; escalations keep reserved budget and stop with the first contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Tells somebody about a lead, or what is still owed to it after the first contact.
    Assignment,
    /// Tells somebody that a lead is left alone.
    Escalation,
}

impl Class {
    /// Returns its name in the API and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Assignment => "assignment",
            Self::Escalation => "escalation",
        }
    }

    /// Reads its name.
    #[must_use]
    pub fn find(text: &str) -> Option<Self> {
        [Self::Assignment, Self::Escalation]
            .into_iter()
            .find(|class| class.as_str() == text)
    }
}

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Waits to be sent.
    Pending,
    /// The provider, or the inbox, has it.
    Delivered,
    /// Part of a digest that took its place.
    Merged,
    /// Its reason was gone before it was sent.
    Stopped,
    /// Given up.
    Failed,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 5] = [
        Self::Pending,
        Self::Delivered,
        Self::Merged,
        Self::Stopped,
        Self::Failed,
    ];

    /// Returns its name in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Merged => "merged",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }

    /// Reads its name.
    #[must_use]
    pub fn find(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// Something a person is to be told, in no language and for no channel yet.
#[derive(Debug, Clone)]
pub struct Notice {
    /// Whose fact it is.
    pub tenant: TenantId,
    /// The event it comes from.
    pub cause_event: Uuid,
    /// Trace it belongs to.
    pub traceparent: Option<String>,
    /// What it is about, "leads/{lead}".
    pub subject: String,
    /// Who is told, "members/{member}".
    pub recipient: String,
    /// Its words.
    pub template: Key,
    /// How pressing it is.
    pub class: Class,
    /// Whether group chats are told, besides the inbox.
    pub by_dingtalk: bool,
    /// Fencing token of the ownership it tells of.
    pub fencing_token: Option<i64>,
    /// Type of the event it comes from.
    pub cause_kind: String,
    /// Step of the ladder it tells of.
    pub ladder_step: Option<i32>,
    /// What the variables of the template stand for.
    pub values: Vec<(&'static str, Value)>,
}

/// What a variable stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A text of ours, such as a lead's number.
    Plain(String),
    /// A text that somebody typed: it may hold anything, a phone number for instance.
    Typed(String),
    /// An instant, if there is one.
    Time(Option<Timestamp>),
    /// A person, "members/{member}", shown by name; empty for nobody.
    Member(String),
}
