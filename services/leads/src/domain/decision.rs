//! What was decided about a lead and why; kept as long as the lead.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::distribution::{Group, Turn};
use super::duplicates::Twin;
use super::ids::{MemberId, ProductId, TeamId, TerritoryId};

/// A decision about one lead, and what it changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Who got the lead, or why it waits.
    pub outcome: Outcome,
    /// The turn the new owner took; `None` where nobody's turn was used.
    pub turn: Option<TurnTaken>,
    /// Whether the new owner becomes the owner of the lead's account.
    pub opens_account: bool,
    /// Why.
    pub trace: Trace,
}

/// What becomes of a lead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It got an owner.
    Assigned {
        /// The owner.
        owner: MemberId,
        /// The owner's team.
        team: TeamId,
        /// Which rule chose them.
        chosen_by: ChosenBy,
    },
    /// It waits.
    Queued {
        /// What it waits for.
        reason: QueueReason,
        /// Team it waits for; `None` when no team matched.
        team: Option<TeamId>,
    },
}

/// Which rule chose the owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChosenBy {
    /// They have a lead that is suspected to be the same.
    DuplicateOwner,
    /// They own the lead's account.
    AccountOwner,
    /// Nobody else could take it.
    OnlyCandidate,
    /// Their next turn ends first.
    NextTurn,
    /// Among those whose turn ends first, they were served the longest ago.
    LongestWait,
    /// Nothing else told the first ones apart.
    SmallestId,
    /// They picked it from the pool.
    Picked,
}

impl ChosenBy {
    /// Returns the word tables and answers use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DuplicateOwner => "duplicate_owner",
            Self::AccountOwner => "account_owner",
            Self::OnlyCandidate => "only_candidate",
            Self::NextTurn => "next_turn",
            Self::LongestWait => "longest_wait",
            Self::SmallestId => "smallest_id",
            Self::Picked => "picked",
        }
    }
}

/// Why a lead waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueReason {
    /// The tenant has no policy.
    NoPolicy,
    /// No entry matches and there is no default team.
    NoEntry,
    /// Somebody of the team could take it if they held less.
    AtCapacity,
    /// Who could take it is away.
    OnLeave,
    /// Only who had it before could take it.
    PreviousOwner,
    /// Who could take it lost it to the pool too short a time ago.
    Cooldown,
    /// Somebody has to pick it from the pool.
    Pooled,
    /// It is in the nurture pool.
    Nurture,
    /// Somebody said that it is none.
    SetAside,
    /// Nobody who takes leads has the skills.
    MissingSkill,
    /// Nobody of the team takes leads.
    NoMembers,
}

impl QueueReason {
    /// Returns the word tables and answers use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoPolicy => "no_policy",
            Self::NoEntry => "no_entry",
            Self::AtCapacity => "at_capacity",
            Self::OnLeave => "on_leave",
            Self::PreviousOwner => "previous_owner",
            Self::Cooldown => "cooldown",
            Self::Pooled => "pooled",
            Self::Nurture => "nurture",
            Self::SetAside => "set_aside",
            Self::MissingSkill => "missing_skill",
            Self::NoMembers => "no_members",
        }
    }

    /// Returns what a lead waits for whose whole team is excluded: the reason that is likely to pass first.
    #[must_use]
    pub fn of(exclusions: &[Exclusion]) -> Self {
        let hopes = [
            (ExclusionReason::AtCapacity, Self::AtCapacity),
            (ExclusionReason::OnLeave, Self::OnLeave),
            (ExclusionReason::Cooldown, Self::Cooldown),
            (ExclusionReason::PreviousOwner, Self::PreviousOwner),
            (ExclusionReason::MissingSkill, Self::MissingSkill),
        ];
        let excluded_for = |reason| exclusions.iter().any(|exclusion| exclusion.reason == reason);
        hopes
            .into_iter()
            .find(|&(reason, _)| excluded_for(reason))
            .map_or(Self::NoMembers, |(_, hope)| hope)
    }
}

/// A turn that was taken, to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnTaken {
    /// In which group.
    pub group: Group,
    /// The turn.
    pub turn: Turn,
    /// The one they had taken last in this group, so that the group's state before can be told again.
    pub before: Option<Turn>,
}

/// Why a routing decision was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// The lead is new.
    Captured,
    /// Its owner gave it back.
    Released,
    /// Its owner did not claim it in time.
    ClaimExpired,
    /// Its owner works here no longer.
    OwnerLeft,
    /// Its owner did nothing with it.
    Recycled,
    /// Somebody picked it from the pool.
    Picked,
    /// Somebody who had lost it to the pool may have it again.
    CooldownEnded,
    /// Somebody can hold more leads.
    CapacityFreed,
    /// Somebody is back, or is away no more than was planned.
    LeaveEnded,
    /// Members, teams, territories or products changed.
    DirectoryChanged,
    /// The policy changed.
    PolicyChanged,
    /// Its tags changed, and conditions read them.
    TagsChanged,
    /// The gate lets it pass after it was kept back.
    GatePassed,
    /// Somebody took it back from where it was kept.
    Returned,
}

impl Trigger {
    /// Every trigger.
    pub const ALL: [Self; 14] = [
        Self::Captured,
        Self::Released,
        Self::ClaimExpired,
        Self::OwnerLeft,
        Self::Recycled,
        Self::Picked,
        Self::CooldownEnded,
        Self::CapacityFreed,
        Self::LeaveEnded,
        Self::DirectoryChanged,
        Self::PolicyChanged,
        Self::TagsChanged,
        Self::GatePassed,
        Self::Returned,
    ];

    /// Returns the word tables, events and answers use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Captured => "captured",
            Self::Released => "released",
            Self::ClaimExpired => "claim_expired",
            Self::OwnerLeft => "owner_left",
            Self::Recycled => "recycled",
            Self::Picked => "picked",
            Self::CooldownEnded => "cooldown_ended",
            Self::CapacityFreed => "capacity_freed",
            Self::LeaveEnded => "leave_ended",
            Self::DirectoryChanged => "directory_changed",
            Self::PolicyChanged => "policy_changed",
            Self::TagsChanged => "tags_changed",
            Self::GatePassed => "gate_passed",
            Self::Returned => "returned",
        }
    }

    /// Returns the trigger a word stands for.
    #[must_use]
    pub fn find(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|trigger| trigger.as_str() == word)
    }
}

/// Inputs and reasons of a decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// When it was made.
    pub decide_time: Timestamp,
    /// Why it was made.
    pub trigger: Trigger,
    /// Policy it was made with; 0 when the tenant has none.
    pub policy_version: i32,
    /// Territories that were looked up, most special first; empty when the typed one is not known.
    pub territory_path: Vec<TerritoryId>,
    /// Territories that the typed one could each be, if it is unclear.
    pub territory_unclear: Vec<TerritoryId>,
    /// Products that were looked up, most special first; empty when the typed one is not known.
    pub product_path: Vec<ProductId>,
    /// Products that the typed one could each be, if it is unclear.
    pub product_unclear: Vec<ProductId>,
    /// The entry that matched, as `territory × product`; `None` for the default team, or where no entry was asked.
    pub matched_entry: Option<String>,
    /// Its number in the policy, from 1.
    pub matched_number: Option<u32>,
    /// Its condition, if it has one.
    pub matched_when: Option<String>,
    /// Entries of fitting cells whose condition did not hold, in the order they were tried; the first [`Skipped::KEPT`].
    pub skipped: Vec<Skipped>,
    /// How many there were.
    pub skipped_count: u32,
    /// Who could take it: the chosen one first, then whoever is next in line.
    pub candidates: Vec<Candidate>,
    /// Who could not, and why.
    pub exclusions: Vec<Exclusion>,
    /// Open leads that it was suspected to be the same as, with who had them.
    pub twins: Vec<Twin>,
    /// Who owned the lead's account, where the owner of a twin went before them.
    pub account_owner: Option<MemberId>,
}

/// An entry whose condition did not hold; its texts are bounded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Its number in the policy, from 1.
    pub number: u32,
    /// Its cell, as `territory × product`.
    pub entry: String,
    /// Its condition.
    pub when: String,
    /// What would have to be otherwise.
    pub missing: Missing,
}

impl Skipped {
    /// How many a decision names; of the others it says how many there were.
    pub const KEPT: usize = 8;
}

/// What would have to be otherwise for a condition to hold, and what the lead says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// In Chinese.
    pub zh: String,
    /// In English.
    pub en: String,
}

/// Somebody who could take the lead, as they stood before the decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Who.
    pub member: MemberId,
    /// Their weight.
    pub weight: u32,
    /// Weighted turns they were behind the mean of the candidates; negative if ahead. Shown only, decided with integers.
    pub deficit: f64,
    /// Open leads they held.
    pub open_leads: u32,
    /// Open leads they can hold.
    pub capacity: u32,
}

/// Somebody who could not take the lead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exclusion {
    /// Who.
    pub member: MemberId,
    /// Why.
    pub reason: ExclusionReason,
    /// The detail, for example the skill or until when.
    pub detail: String,
}

/// Why somebody could not take a lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExclusionReason {
    /// They work here no longer.
    Inactive,
    /// Their role gets no leads.
    Role,
    /// They lack a skill.
    MissingSkill,
    /// They had it before and gave it back or lost it.
    PreviousOwner,
    /// They lost it to the pool too short a time ago.
    Cooldown,
    /// They are away.
    OnLeave,
    /// They hold as many open leads as they can.
    AtCapacity,
}

impl ExclusionReason {
    /// Returns the code that refusals of a pick have.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Inactive => "INACTIVE",
            Self::Role => "ROLE",
            Self::MissingSkill => "MISSING_SKILL",
            Self::PreviousOwner => "PREVIOUS_OWNER",
            Self::Cooldown => "COOLDOWN",
            Self::OnLeave => "ON_LEAVE",
            Self::AtCapacity => "AT_CAPACITY",
        }
    }

    /// Returns the word answers use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Role => "role",
            Self::MissingSkill => "missing_skill",
            Self::PreviousOwner => "previous_owner",
            Self::Cooldown => "cooldown",
            Self::OnLeave => "on_leave",
            Self::AtCapacity => "at_capacity",
        }
    }
}
