//! What each kind of channel can take, as data: rendering, budgets and people read the same table.

use jiff::SignedDuration;

use super::{channel::Kind, merge::Surplus};

/// What a kind of channel can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capability {
    /// Largest message; what is counted, the request or the text in it, is the provider's choice.
    pub max_size: usize,
    /// What is counted.
    pub unit: Unit,
    /// How the words are written.
    pub format: Format,
    /// Whom a message can call by name.
    pub mention: Mention,
    /// Who reads it.
    pub audience: Audience,
    /// Most messages a minute: the provider's limit where there is one.
    pub most_per_minute: i32,
    /// What is used of it unless told otherwise.
    pub usual_per_minute: i32,
    /// How long a message waits after the answer to the one before.
    pub spacing: SignedDuration,
    /// What becomes of messages beyond the budget.
    pub surplus: Surplus,
    /// Whether the vendor asks to keep off full and half hours.
    pub keeps_off_full_hours: bool,
}

/// What a size is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Bytes of the request.
    RequestBytes,
    /// Bytes of the text in it.
    TextBytes,
    /// Characters of the variable in the provider's template.
    Characters,
}

/// How the words of a message are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The vendor's Markdown.
    Markdown,
    /// Markdown among the other things a program wants to know.
    Json,
    /// HTML with the plain words beside it.
    Html,
    /// The title inside a template that the provider has approved.
    Template,
}

/// Whom a message can call by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mention {
    /// Nobody.
    Nobody,
    /// People by their mobile numbers.
    Mobile,
}

/// Who reads what a channel carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// A group chat.
    Group,
    /// One person: the message's recipient.
    Person,
    /// A program.
    Program,
}

const CHAT: Capability = Capability {
    max_size: 20_000,
    unit: Unit::RequestBytes,
    format: Format::Markdown,
    mention: Mention::Mobile,
    audience: Audience::Group,
    most_per_minute: 20,
    usual_per_minute: 18,
    spacing: SignedDuration::ZERO,
    surplus: Surplus::Merges,
    keeps_off_full_hours: false,
};

/// What goes to one person: each message by itself.
const PERSONAL: Capability = Capability {
    max_size: 2_048,
    unit: Unit::TextBytes,
    format: Format::Markdown,
    mention: Mention::Nobody,
    audience: Audience::Person,
    most_per_minute: 600,
    usual_per_minute: 600,
    surplus: Surplus::Waits,
    ..CHAT
};

impl Kind {
    /// Returns what this kind can take.
    #[must_use]
    pub const fn capability(self) -> Capability {
        match self {
            Self::DingtalkRobot => CHAT,
            Self::WecomRobot => Capability {
                max_size: 4_096,
                unit: Unit::TextBytes,
                ..CHAT
            },
            // Five in a second, whatever the minute has left.
            Self::FeishuRobot => Capability {
                max_size: 20_480,
                mention: Mention::Nobody,
                most_per_minute: 100,
                usual_per_minute: 90,
                spacing: SignedDuration::from_millis(210),
                keeps_off_full_hours: true,
                ..CHAT
            },
            Self::Webhook => Capability {
                max_size: 256 * 1024,
                unit: Unit::RequestBytes,
                format: Format::Json,
                audience: Audience::Program,
                ..PERSONAL
            },
            Self::Email => Capability {
                max_size: 256 * 1024,
                unit: Unit::RequestBytes,
                format: Format::Html,
                usual_per_minute: 60,
                ..PERSONAL
            },
            Self::Sms => Capability {
                max_size: 35,
                unit: Unit::Characters,
                format: Format::Template,
                usual_per_minute: 60,
                ..PERSONAL
            },
            Self::DingtalkNotice | Self::WecomApp => PERSONAL,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_says_what_it_can_take() {
        for (kind, max_size, mention, audience, most_per_minute) in [
            (Kind::DingtalkRobot, 20_000, Mention::Mobile, Audience::Group, 20),
            (Kind::WecomRobot, 4_096, Mention::Mobile, Audience::Group, 20),
            (Kind::FeishuRobot, 20_480, Mention::Nobody, Audience::Group, 100),
            (Kind::Webhook, 262_144, Mention::Nobody, Audience::Program, 600),
            (Kind::Email, 262_144, Mention::Nobody, Audience::Person, 600),
            (Kind::Sms, 35, Mention::Nobody, Audience::Person, 600),
            (Kind::DingtalkNotice, 2_048, Mention::Nobody, Audience::Person, 600),
            (Kind::WecomApp, 2_048, Mention::Nobody, Audience::Person, 600),
        ] {
            let capability = kind.capability();
            assert_eq!(
                (
                    capability.max_size,
                    capability.mention,
                    capability.audience,
                    capability.most_per_minute
                ),
                (max_size, mention, audience, most_per_minute),
                "{kind:?}"
            );
        }
    }

    #[test]
    fn nothing_usual_is_above_the_limit_and_only_groups_get_digests() {
        for kind in Kind::ALL {
            let capability = kind.capability();
            assert!(capability.usual_per_minute <= capability.most_per_minute, "{kind:?}");
            let merges = capability.surplus == Surplus::Merges;
            assert_eq!(merges, capability.audience == Audience::Group, "{kind:?}");
        }
    }
}
