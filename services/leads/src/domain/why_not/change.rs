//! What could have been otherwise.

use crate::domain::ids::{ProductId, TerritoryId};
use crate::domain::routing::number;

/// Something that could have been otherwise.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Change {
    /// The lead comes from elsewhere.
    LeadTerritory(TerritoryId),
    /// The lead asks for something else.
    LeadProduct(ProductId),
    /// The lead is of an account that the member owns.
    LeadAccount,
    /// The lead is of no account anybody owns.
    LeadWithoutAccount,
    /// The lead meets the condition of the entry at this place.
    LeadMeets(usize),
    /// The lead does not meet it.
    LeadMisses(usize),
    /// The entry names the member's team.
    EntryTeam(usize),
    /// The entry is not there.
    EntryRemoved(usize),
    /// The entry has no condition.
    EntryWithoutCondition(usize),
    /// The entry does not ask for the skill.
    EntryWithoutSkill(usize, String),
    /// The entry asks for a skill that the member has.
    EntryWithSkill(usize, String),
    /// The default team is the member's.
    DefaultTeam,
    /// The member works here.
    MemberActive,
    /// The member has a role that gets leads.
    MemberRole,
    /// The member has the skill.
    MemberSkill(String),
    /// The member is not on leave.
    MemberPresent,
    /// The member can hold one more lead.
    MemberCapacity,
    /// The member may have the lead again.
    MemberAgain,
}

impl Change {
    /// Returns the word answers use.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::LeadTerritory(_) => "lead_territory",
            Self::LeadProduct(_) => "lead_product",
            Self::LeadAccount => "lead_account",
            Self::LeadWithoutAccount => "lead_without_account",
            Self::LeadMeets(_) => "lead_meets",
            Self::LeadMisses(_) => "lead_misses",
            Self::EntryTeam(_) => "entry_team",
            Self::EntryRemoved(_) => "entry_removed",
            Self::EntryWithoutCondition(_) => "entry_without_condition",
            Self::EntryWithoutSkill(..) => "entry_without_skill",
            Self::EntryWithSkill(..) => "entry_with_skill",
            Self::DefaultTeam => "default_team",
            Self::MemberActive => "member_active",
            Self::MemberRole => "member_role",
            Self::MemberSkill(_) => "member_skill",
            Self::MemberPresent => "member_present",
            Self::MemberCapacity => "member_capacity",
            Self::MemberAgain => "member_again",
        }
    }

    /// Returns the number of the entry it is about, from 1.
    #[must_use]
    pub fn entry(&self) -> Option<u32> {
        match self {
            Self::LeadMeets(place)
            | Self::LeadMisses(place)
            | Self::EntryTeam(place)
            | Self::EntryRemoved(place)
            | Self::EntryWithoutCondition(place)
            | Self::EntryWithoutSkill(place, _)
            | Self::EntryWithSkill(place, _) => Some(number(*place)),
            _ => None,
        }
    }

    /// Returns the new value; empty where the kind says it all.
    #[must_use]
    pub fn value(&self) -> String {
        match self {
            Self::LeadTerritory(id) => id.to_string(),
            Self::LeadProduct(id) => id.to_string(),
            Self::EntryWithoutSkill(_, skill) | Self::EntryWithSkill(_, skill) | Self::MemberSkill(skill) => {
                skill.clone()
            }
            _ => String::new(),
        }
    }

    /// Tells whether it is the member who would have to be otherwise.
    #[must_use]
    pub fn is_of_member(&self) -> bool {
        matches!(
            self,
            Self::MemberActive
                | Self::MemberRole
                | Self::MemberSkill(_)
                | Self::MemberPresent
                | Self::MemberCapacity
                | Self::MemberAgain
        )
    }
}
