//! Ids of resources, each its own type so that a member is never taken for a team.
//!
//! Outside they are resource names (`members/zhang.wei`); [`ResourceId::id`] is the last part, as tables keep it.

use std::{fmt, hash::Hash, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

const MAX_ID_BYTES: usize = 64;

/// What every id can do; lets one tree serve territories and products.
pub trait ResourceId: Clone + Ord + Hash + fmt::Debug + fmt::Display + FromStr<Err = InvalidName> {
    /// First part of the resource name.
    const COLLECTION: &'static str;

    /// Parses the last part of a resource name.
    ///
    /// # Errors
    /// Fails when the text has characters or a length that no id of this kind has.
    fn from_id(id: &str) -> Result<Self, InvalidName>;
}

/// A text is no resource name of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be \"{collection}/\" followed by {rule}")]
pub struct InvalidName {
    collection: &'static str,
    rule: &'static str,
}

/// Which characters an id chosen by people may have.
#[derive(Clone, Copy)]
enum Alphabet {
    /// Letters, digits, dots, dashes, underscores.
    Readable,
    /// Letters, digits, dashes: what survives in a page's address and in a write key.
    Plain,
}

impl Alphabet {
    fn check(self, id: &str) -> bool {
        let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let allowed = |byte: u8| match self {
            Self::Readable => letter(byte) || matches!(byte, b'.' | b'-' | b'_'),
            Self::Plain => letter(byte) || byte == b'-',
        };
        let first = id.bytes().next().is_some_and(letter);
        first && id.len() <= MAX_ID_BYTES && id.bytes().all(allowed)
    }

    const fn rule(self) -> &'static str {
        match self {
            Self::Readable => "1 to 64 of a-z, 0-9, \".\", \"-\", \"_\", the first a letter or digit",
            Self::Plain => "1 to 64 of a-z, 0-9, \"-\", the first a letter or digit",
        }
    }
}

macro_rules! resource_name {
    ($name:ident, $collection:literal, $rule:expr) => {
        impl $name {
            fn invalid() -> InvalidName {
                InvalidName {
                    collection: $collection,
                    rule: $rule,
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, concat!($collection, "/{}"), self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, formatter)
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(name: &str) -> Result<Self, InvalidName> {
                let id = name
                    .strip_prefix(concat!($collection, "/"))
                    .ok_or_else(Self::invalid)?;
                <Self as ResourceId>::from_id(id)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(name: String) -> Result<Self, InvalidName> {
                name.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.to_string()
            }
        }
    };
}

/// Declares an id that people choose.
macro_rules! slug {
    ($(#[$doc:meta])* $name:ident, $collection:literal, $alphabet:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Returns the last part of the resource name.
            #[must_use]
            pub fn id(&self) -> &str {
                &self.0
            }
        }

        impl ResourceId for $name {
            const COLLECTION: &'static str = $collection;

            fn from_id(id: &str) -> Result<Self, InvalidName> {
                if $alphabet.check(id) { Ok(Self(id.into())) } else { Err(Self::invalid()) }
            }
        }

        resource_name!($name, $collection, $alphabet.rule());
    };
}

/// Declares an id that the service gives.
macro_rules! uuid {
    ($(#[$doc:meta])* $name:ident, $collection:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(pub Uuid);

        impl ResourceId for $name {
            const COLLECTION: &'static str = $collection;

            // One spelling only: what is compared as text elsewhere must not differ in case or dashes.
            fn from_id(id: &str) -> Result<Self, InvalidName> {
                let uuid = Uuid::try_parse(id).map_err(|_| Self::invalid())?;
                if uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer()) == id {
                    Ok(Self(uuid))
                } else {
                    Err(Self::invalid())
                }
            }
        }

        resource_name!($name, $collection, "a UUID in lower case");
    };
}

slug!(/// A person, `members/{member}`.
    MemberId, "members", Alphabet::Readable);
slug!(/// A team, `teams/{team}`.
    TeamId, "teams", Alphabet::Readable);
slug!(/// A place, `territories/{territory}`.
    TerritoryId, "territories", Alphabet::Readable);
slug!(/// A product or product line, `products/{product}`.
    ProductId, "products", Alphabet::Readable);
slug!(/// A working calendar, `calendars/{calendar}`.
    CalendarId, "calendars", Alphabet::Readable);
slug!(/// An escalation ladder, `ladders/{ladder}`.
    LadderId, "ladders", Alphabet::Readable);
slug!(/// A form, `forms/{form}`.
    FormId, "forms", Alphabet::Plain);
slug!(/// A calculated field, `calculatedFields/{calculated_field}`.
    CalculatedFieldId, "calculatedFields", Alphabet::Readable);
slug!(/// A source of signed bodies, `webhookSources/{webhook_source}`.
    WebhookSourceId, "webhookSources", Alphabet::Plain);
slug!(/// A rule that gives tags, `tagRules/{tag_rule}`.
    TagRuleId, "tagRules", Alphabet::Readable);
slug!(/// A step of a sale, `progressTags/{progress_tag}`.
    ProgressTagId, "progressTags", Alphabet::Readable);
slug!(/// Something paid for a channel, `channelCosts/{channel_cost}`.
    ChannelCostId, "channelCosts", Alphabet::Readable);
slug!(/// Somebody who works for customers, `contacts/{contact}`.
    ContactId, "contacts", Alphabet::Readable);
slug!(/// A machine at a customer, `devices/{device}`.
    DeviceId, "devices", Alphabet::Readable);
uuid!(/// A lead, `leads/{lead}`.
    LeadId, "leads");
uuid!(/// A follow-up, `followUps/{follow_up}`.
    FollowUpId, "followUps");
uuid!(/// A dispute about a lead, `disputes/{dispute}`.
    DisputeId, "disputes");
uuid!(/// An erasure of somebody's data, `erasures/{erasure}`.
    ErasureId, "erasures");
uuid!(/// An import of leads, `imports/{import}`.
    ImportId, "imports");
uuid!(/// Two leads that may be the same, `duplicates/{duplicate}`.
    DuplicateId, "duplicates");
uuid!(/// A merge of two leads, `merges/{merge}`.
    MergeId, "merges");
uuid!(/// A leave, `leaves/{leave}`.
    LeaveId, "leaves");
uuid!(/// What holds between a customer and something else, `relations/{relation}`.
    RelationId, "relations");

/// A customer, `accounts/{account}`: what follows is what leads carry as their account, in any script.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountId(Arc<str>);

impl AccountId {
    const MAX_CHARACTERS: usize = 100;

    /// Returns what leads carry.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.0
    }
}

impl ResourceId for AccountId {
    const COLLECTION: &'static str = "accounts";

    fn from_id(id: &str) -> Result<Self, InvalidName> {
        let fits = !id.is_empty()
            && id.trim() == id
            && !id.contains(char::is_control)
            && id.chars().count() <= Self::MAX_CHARACTERS;
        if fits {
            Ok(Self(id.into()))
        } else {
            Err(Self::invalid())
        }
    }
}

resource_name!(
    AccountId,
    "accounts",
    "1 to 100 characters without line breaks, no space first or last"
);

impl CalculatedFieldId {
    /// Returns what stands for the id of a definition that is only tried.
    #[must_use]
    pub fn of_draft() -> Self {
        Self("draft".into())
    }
}

impl TagRuleId {
    /// Returns what stands for the id of a rule that is only checked.
    #[must_use]
    pub fn of_draft() -> Self {
        Self("draft".into())
    }
}

impl CalendarId {
    /// Returns the calendar of whoever has no other.
    #[must_use]
    pub fn default_of_tenant() -> Self {
        Self("default".into())
    }
}

impl LadderId {
    /// Returns the id of the ladder that every tenant has from the start.
    #[must_use]
    pub fn built_in() -> Self {
        Self("default".into())
    }
}

/// Number people quote on the telephone, unique in the tenant: `L000123`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeadNumber(pub i64);

impl fmt::Display for LeadNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "L{:06}", self.0)
    }
}

/// A text is no number of a lead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be \"L\" followed by at least six digits")]
pub struct InvalidNumber;

impl FromStr for LeadNumber {
    type Err = InvalidNumber;

    fn from_str(text: &str) -> Result<Self, InvalidNumber> {
        let digits = text.strip_prefix('L').ok_or(InvalidNumber)?;
        let number = Self(digits.parse().map_err(|_| InvalidNumber)?);
        // Printing it again refuses a plus, missing zeros and superfluous ones.
        if number.0 >= 0 && number.to_string() == text {
            Ok(number)
        } else {
            Err(InvalidNumber)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_parsed_from_resource_names() {
        let member: MemberId = "members/zhang.wei".parse().unwrap();
        assert_eq!(member.id(), "zhang.wei");
        assert_eq!(member.to_string(), "members/zhang.wei");
        let longest = format!("members/{}", "a".repeat(64));
        assert!(longest.parse::<MemberId>().is_ok());
        for bad in [
            "",
            "zhang",
            "members/",
            "teams/x",
            "members/..",
            "members/A",
            "members/a/b",
            "members/张",
            "members/a b",
        ] {
            assert!(bad.parse::<MemberId>().is_err(), "{bad:?} must be refused");
        }
        assert!(format!("{longest}a").parse::<MemberId>().is_err());
        assert!(
            "forms/a_b".parse::<FormId>().is_err(),
            "a write key is cut at underscores"
        );
    }

    #[test]
    fn uuids_have_one_spelling() {
        let text = "leads/0190b2c3-0000-7000-8000-00000000000a";
        assert_eq!(text.parse::<LeadId>().unwrap().to_string(), text);
        for bad in [
            "leads/0190b2c3-0000-7000-8000-00000000000A",
            "leads/0190b2c3000070008000000000000000",
            "leads/1",
        ] {
            assert!(bad.parse::<LeadId>().is_err(), "{bad:?} must be refused");
        }
    }

    #[test]
    fn ids_travel_as_resource_names_in_json() {
        let team: TeamId = "teams/zhang".parse().unwrap();
        assert_eq!(serde_json::to_string(&team).unwrap(), "\"teams/zhang\"");
        assert_eq!(serde_json::from_str::<TeamId>("\"teams/zhang\"").unwrap(), team);
        assert!(serde_json::from_str::<TeamId>("\"members/zhang\"").is_err());
    }

    #[test]
    fn numbers_are_read_as_they_are_written() {
        assert_eq!(LeadNumber(123).to_string(), "L000123");
        assert_eq!("L1234567".parse(), Ok(LeadNumber(1_234_567)));
        for bad in ["", "L", "123", "L123", "L0001234", "L+00123", "L-00123", "l000123"] {
            assert_eq!(bad.parse::<LeadNumber>(), Err(InvalidNumber), "{bad:?}");
        }
    }
}
