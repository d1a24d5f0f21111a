//! Why a member did not get a lead: the fewest changes of the lead, the policy or the member with which they would have.
//!
//! Changes are tried breadth first, from what routing would answer: only what has a part in the answer is changed next (the
//! entry that matched, the entries whose conditions did not hold, what excludes the member), and any change of the lead. A
//! change of something else can only matter after another one has brought it into play, so nothing smaller is missed.

mod change;
mod text;

pub use change::Change;
pub use text::Words;

use std::collections::{BTreeSet, HashSet};

use jiff::Timestamp;

use super::assign::{LeadFacts, Snapshot, look_up};
use super::decision::{ExclusionReason, Missing};
use super::directory::Directory;
use super::distribution::{Group, Turns};
use super::ids::{MemberId, ProductId, TeamId, TerritoryId};
use super::member::{Member, Role};
use super::pool::Cooldowns;
use super::routing::{Inquiry, Policy};

/// Most changes of a set.
pub const MOST_CHANGES: usize = 3;
/// Most sets an answer names.
pub const MOST_REMEDIES: usize = 20;
/// Sets tried; an answer that needs more is not found.
const MOST_TRIALS: usize = 50_000;

/// Changes that suffice together.
pub type Remedy = BTreeSet<Change>;

/// Why a member did not get a lead.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WhyNot {
    /// Whether they did.
    pub chosen: bool,
    /// Smallest sets of changes.
    pub remedies: Vec<Remedy>,
    /// Smallest sets without changes of the member, where `remedies` has none.
    pub lead_or_policy: Vec<Remedy>,
}

/// Finds the fewest changes with which `member` would have got the lead.
#[must_use]
pub fn why_not(lead: &LeadFacts, snapshot: &Snapshot, now: Timestamp, member: &Member) -> WhyNot {
    let world = World::new(lead, snapshot, now, member);
    if world.chosen(&world.answer(&Remedy::new())) {
        return WhyNot {
            chosen: true,
            ..WhyNot::default()
        };
    }
    let remedies = world.search(true);
    let has_other = remedies.iter().any(|remedy| !remedy.iter().any(Change::is_of_member));
    WhyNot {
        chosen: false,
        lead_or_policy: if has_other || remedies.is_empty() {
            Vec::new()
        } else {
            world.search(false)
        },
        remedies,
    }
}

/// What everything stands on while changes are tried.
struct World<'a> {
    lead: &'a LeadFacts,
    snapshot: &'a Snapshot,
    now: Timestamp,
    member: &'a Member,
    policy: Option<&'a Policy>,
    inquiry: Option<Inquiry<'a>>,
    territories: Vec<TerritoryId>,
    products: Vec<ProductId>,
    /// Territories and products that entries name: whatever else a lead comes from or asks for is found by one of them.
    other_territories: BTreeSet<TerritoryId>,
    other_products: BTreeSet<ProductId>,
}

/// What routing answers with some changes.
struct Answer {
    owner: Option<MemberId>,
    by: By,
    /// Places of entries whose condition did not hold.
    skipped: Vec<usize>,
    asked: Asked,
}

/// Whether the member was asked.
#[derive(PartialEq, Eq)]
enum Asked {
    /// They are not of the team.
    No,
    /// They could have taken the lead.
    Able,
    /// They could not.
    Unable(ExclusionReason, String),
}

impl Asked {
    fn of(exclusion: Option<(ExclusionReason, String)>) -> Self {
        exclusion.map_or(Self::Able, |(reason, detail)| Self::Unable(reason, detail))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Twin,
    Account,
    Entry(usize),
    Default,
    Nothing,
}

impl<'a> World<'a> {
    fn new(lead: &'a LeadFacts, snapshot: &'a Snapshot, now: Timestamp, member: &'a Member) -> Self {
        let directory: &Directory = &snapshot.directory;
        let policy = snapshot.policy.as_deref();
        let (territories, _) = look_up(directory.territories.recognise(&lead.territory), |id| {
            directory.territories.path(id)
        });
        let (products, _) = look_up(directory.products.recognise(&lead.product), |id| {
            directory.products.path(id)
        });
        let entries = policy
            .map(|policy| policy.spec().entries.as_slice())
            .unwrap_or_default();
        let conditions = policy.and_then(Policy::conditions);
        Self {
            other_territories: entries.iter().filter_map(|entry| entry.territory.clone()).collect(),
            other_products: entries.iter().filter_map(|entry| entry.product.clone()).collect(),
            inquiry: conditions.map(|conditions| conditions.inquire(lead, now, &snapshot.zone)),
            lead,
            snapshot,
            now,
            member,
            policy,
            territories,
            products,
        }
    }

    fn chosen(&self, answer: &Answer) -> bool {
        answer.owner.as_ref() == Some(&self.member.id)
    }

    /// Finds all smallest sets, changes of the member among them or not.
    fn search(&self, with_member: bool) -> Vec<Remedy> {
        let mut level = vec![Remedy::new()];
        let mut seen = HashSet::new();
        for _ in 0..MOST_CHANGES {
            let mut found = Vec::new();
            let mut next = Vec::new();
            for remedy in &level {
                let answer = self.answer(remedy);
                for change in self.changes(remedy, &answer) {
                    if !with_member && change.is_of_member() {
                        continue;
                    }
                    let mut wider = remedy.clone();
                    if !wider.insert(change) || !seen.insert(wider.clone()) {
                        continue;
                    }
                    if seen.len() > MOST_TRIALS {
                        return found;
                    }
                    if self.chosen(&self.answer(&wider)) {
                        found.push(wider);
                    } else {
                        next.push(wider);
                    }
                }
            }
            if !found.is_empty() {
                found.sort();
                return found;
            }
            level = next;
        }
        Vec::new()
    }

    /// Lists what could be changed next, besides the changes made.
    fn changes(&self, made: &Remedy, answer: &Answer) -> Vec<Change> {
        let mut changes = Vec::new();
        let any = |is: fn(&Change) -> bool| made.iter().any(is);
        if !any(|change| matches!(change, Change::LeadTerritory(_))) {
            changes.extend(self.other_territories.iter().cloned().map(Change::LeadTerritory));
        }
        if !any(|change| matches!(change, Change::LeadProduct(_))) {
            changes.extend(self.other_products.iter().cloned().map(Change::LeadProduct));
        }
        if !any(|change| matches!(change, Change::LeadAccount | Change::LeadWithoutAccount)) {
            changes.push(Change::LeadAccount);
            if answer.by == By::Account {
                changes.push(Change::LeadWithoutAccount);
            }
        }
        for &place in &answer.skipped {
            changes.push(Change::LeadMeets(place));
            changes.push(Change::EntryWithoutCondition(place));
        }
        match answer.by {
            By::Entry(place) => self.changes_of_entry(place, made, answer, &mut changes),
            By::Default | By::Nothing if self.policy.is_some() => changes.push(Change::DefaultTeam),
            _ => {}
        }
        if let Asked::Unable(reason, detail) = &answer.asked {
            changes.push(match reason {
                ExclusionReason::Inactive => Change::MemberActive,
                ExclusionReason::Role => Change::MemberRole,
                ExclusionReason::MissingSkill => Change::MemberSkill(detail.clone()),
                ExclusionReason::PreviousOwner | ExclusionReason::Cooldown => Change::MemberAgain,
                ExclusionReason::OnLeave => Change::MemberPresent,
                ExclusionReason::AtCapacity => Change::MemberCapacity,
            });
        }
        changes
    }

    fn changes_of_entry(&self, place: usize, made: &Remedy, answer: &Answer, changes: &mut Vec<Change>) {
        let Some(entry) = self.policy.map(|policy| &policy.spec().entries[place]) else {
            return;
        };
        changes.push(Change::EntryRemoved(place));
        if entry.when.is_some() && !made.contains(&Change::EntryWithoutCondition(place)) {
            changes.push(Change::LeadMisses(place));
        }
        match &answer.asked {
            Asked::No => changes.push(Change::EntryTeam(place)),
            Asked::Unable(ExclusionReason::MissingSkill, skill) => {
                changes.push(Change::EntryWithoutSkill(place, skill.clone()));
            }
            Asked::Unable(..) => {}
            // It was somebody else's turn: a skill could tell them apart.
            Asked::Able => {
                let others = self.member.skills.iter().filter(|skill| !entry.skills.contains(skill));
                changes.extend(others.map(|skill| Change::EntryWithSkill(place, skill.clone())));
            }
        }
    }

    /// Returns what routing answers with changes.
    fn answer(&self, made: &Remedy) -> Answer {
        let directory: &Directory = &self.snapshot.directory;
        let mut answer = Answer {
            owner: None,
            by: By::Nothing,
            skipped: Vec::new(),
            asked: Asked::No,
        };
        let account_owner = if made.contains(&Change::LeadAccount) {
            Some(self.member)
        } else if made.contains(&Change::LeadWithoutAccount) || self.lead.account.is_empty() {
            None
        } else {
            let owner = self.snapshot.account_owners.get(&self.lead.account);
            owner.and_then(|owner| directory.find_member(owner))
        };
        let mut twins = self.lead.twins.iter();
        let twin_owner = twins.find_map(|twin| self.snapshot.lead_owners.get(&twin.lead));
        if let Some(owner) = twin_owner.and_then(|owner| directory.find_member(owner)) {
            let full = |(reason, _): &(ExclusionReason, String)| *reason == ExclusionReason::AtCapacity;
            let exclusion = self.exclude(owner, &[], made).filter(|exclusion| !full(exclusion));
            if owner.id == self.member.id {
                answer.asked = Asked::of(exclusion.clone());
            }
            if exclusion.is_none() {
                answer.by = By::Twin;
                answer.owner = Some(owner.id.clone());
                return answer;
            }
        }
        if let Some(owner) = account_owner {
            let exclusion = self.exclude(owner, &[], made);
            if owner.id == self.member.id {
                answer.asked = Asked::of(exclusion.clone());
            }
            if exclusion.is_none() {
                answer.by = By::Account;
                answer.owner = Some(owner.id.clone());
                return answer;
            }
        }
        let Some((by, team, skills)) = self.resolve(made, &mut answer.skipped) else {
            return answer;
        };
        answer.by = by;
        let group = Group::new(team, &skills);
        let no_turns = Turns::default();
        let turns = self.snapshot.turns.get(&group).unwrap_or(&no_turns);
        let mut first = None;
        for member in directory.members_of(&group.team) {
            let exclusion = self.exclude(member, &skills, made);
            if exclusion.is_none() {
                let place = turns.place(&member.id, member.weight);
                let standing = (place.finish, place.last_turn);
                // Members come by id: of equals the first stays.
                if first.as_ref().is_none_or(|(best, _)| standing < *best) {
                    first = Some((standing, &member.id));
                }
            }
            if member.id == self.member.id && answer.asked == Asked::No {
                answer.asked = Asked::of(exclusion);
            }
        }
        answer.owner = first.map(|(_, id)| id.clone());
        answer
    }

    /// Finds the team and the skills that are asked for.
    fn resolve(&self, made: &Remedy, skipped: &mut Vec<usize>) -> Option<(By, TeamId, Vec<String>)> {
        let (policy, directory) = (self.policy?, &self.snapshot.directory);
        let mut territories = self.territories.as_slice();
        let mut products = self.products.as_slice();
        for change in made {
            match change {
                Change::LeadTerritory(id) => territories = directory.territories.path(id),
                Change::LeadProduct(id) => products = directory.products.path(id),
                _ => {}
            }
        }
        let target = policy.resolve(territories, products, |place, entry| {
            if made.contains(&Change::EntryRemoved(place)) {
                return false;
            }
            let holds = if entry.when.is_none()
                || made.contains(&Change::EntryWithoutCondition(place))
                || made.contains(&Change::LeadMeets(place))
            {
                true
            } else if made.contains(&Change::LeadMisses(place)) {
                false
            } else {
                self.inquiry.as_ref().is_some_and(|inquiry| inquiry.holds(place))
            };
            if !holds && !made.contains(&Change::LeadMisses(place)) {
                skipped.push(place);
            }
            holds
        });
        let default_changed = made.contains(&Change::DefaultTeam);
        let Some((place, entry)) = target.and_then(|target| Some((target.place?, target.entry?))) else {
            let team = if default_changed {
                Some(self.member.team.clone())
            } else {
                policy.spec().default_team.clone()
            };
            return team.map(|team| (By::Default, team, Vec::new()));
        };
        let mut skills = entry.skills.clone();
        for change in made {
            match change {
                Change::EntryWithoutSkill(of, skill) if *of == place => skills.retain(|it| it != skill),
                Change::EntryWithSkill(of, skill) if *of == place => skills.push(skill.clone()),
                _ => {}
            }
        }
        skills.sort();
        let team = if made.contains(&Change::EntryTeam(place)) {
            &self.member.team
        } else {
            &entry.team
        };
        Some((By::Entry(place), team.clone(), skills))
    }

    /// Tells why a member could not take the lead.
    fn exclude(&self, member: &Member, skills: &[String], made: &Remedy) -> Option<(ExclusionReason, String)> {
        let changed = member.id == self.member.id && made.iter().any(Change::is_of_member);
        let said = |member: &Member, skills: &[String], lead: &LeadFacts| {
            let exclusion = self.snapshot.exclude(member, skills, lead, self.now)?;
            Some((exclusion.reason, exclusion.detail))
        };
        if !changed {
            return said(member, skills, self.lead);
        }
        let (mut member, mut lead) = (member.clone(), None);
        for change in made {
            match change {
                Change::MemberActive => member.active = true,
                Change::MemberRole => member.role = Role::Sales,
                Change::MemberSkill(skill) => member.skills.push(skill.clone()),
                Change::MemberCapacity => {
                    member.capacity = member.capacity.max(self.snapshot.open_leads_of(&member.id) + 1);
                }
                Change::MemberAgain => {
                    let mut again = self.lead.clone();
                    again.previous_owner = None;
                    again.cooldowns = Cooldowns::default();
                    lead = Some(again);
                }
                _ => {}
            }
        }
        let exclusion = said(&member, skills, lead.as_ref().unwrap_or(self.lead))?;
        if exclusion.0 == ExclusionReason::OnLeave && made.contains(&Change::MemberPresent) {
            // The only reason that comes after a leave.
            let open = self.snapshot.open_leads_of(&member.id);
            return (open >= member.capacity).then_some((ExclusionReason::AtCapacity, String::new()));
        }
        Some(exclusion)
    }

    /// Tells what the lead would have to say to meet the condition of an entry.
    fn missing(&self, place: usize) -> Option<Missing> {
        Some(self.inquiry.as_ref()?.missing(place))
    }
}

#[cfg(test)]
mod tests;
