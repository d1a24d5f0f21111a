//! What a step of a ladder does when its time has come: whether it fires, and whom it tells.

use jiff::Timestamp;

use super::directory::Directory;
use super::ids::{MemberId, TeamId};
use super::ladder::Audience;
use super::lead::{Standing, State};
use super::leave::Leaves;
use super::member::{Member, Team};

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepOutcome {
    /// Nobody called: somebody is told.
    Fire,
    /// There is nothing to tell.
    Stopped(StopReason),
}

/// Why a step has nothing to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// The first call is recorded.
    Contacted,
    /// The lead is closed.
    Closed,
    /// It is kept from salespeople.
    Aside,
}

impl StopReason {
    /// Returns the word the lead's history uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Contacted => "contacted",
            Self::Closed => "closed",
            Self::Aside => "aside",
        }
    }
}

/// Tells whether a step that is due still has something to tell; asked under the lead's lock.
///
/// The clock is the lead's, not its owner's: a change of owner does not stop it, a recorded call does for good.
#[must_use]
pub fn step_outcome(lead: &Standing) -> StepOutcome {
    if lead.first_contact_time.is_some() || lead.state == State::Contacted {
        return StepOutcome::Stopped(StopReason::Contacted);
    }
    if lead.state.is_aside() {
        return StepOutcome::Stopped(StopReason::Aside);
    }
    if lead.state.is_open() {
        StepOutcome::Fire
    } else {
        StepOutcome::Stopped(StopReason::Closed)
    }
}

/// Who is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// Who.
    pub member: MemberId,
    /// Whom they stand in for, if they were not meant themselves.
    pub deputising_for: Option<MemberId>,
}

/// A lead as far as it decides who is told about it.
#[derive(Debug, Clone, Copy)]
pub struct Concerned<'a> {
    /// Who owns it, if anybody does.
    pub owner: Option<&'a MemberId>,
    /// The owner's team, or the team it waits for.
    pub team: Option<&'a TeamId>,
}

/// Finds who is told about a lead.
///
/// Meant is the owner, or the supervisor or director of the team or of the nearest team above that has one; where there is
/// no such person, whoever is next: after the owner the supervisor, after the supervisor the director, after the director
/// the supervisor. Who is away is represented by their deputy, that one's deputy, and so on; who works here no longer, or
/// has no deputy present, by the nearest of their superiors who is present, and at last by whoever is next as above. With
/// nobody present the first who still works here is told all the same; `None` when there is nobody at all.
#[must_use]
pub fn resolve_audience(
    directory: &Directory,
    leaves: &Leaves,
    lead: Concerned<'_>,
    audience: Audience,
    now: Timestamp,
) -> Option<Recipient> {
    let holders = holders(directory, lead, audience);
    let meant = *holders.first()?;
    let in_order: Vec<&Member> = holders
        .into_iter()
        .flat_map(|holder| stand_ins(directory, holder))
        .collect();
    let present = |member: &&&Member| member.active && leaves.away_until(&member.id, now).is_none();
    let told = in_order
        .iter()
        .find(present)
        .or_else(|| in_order.iter().find(|member| member.active))?;
    let deputising_for = (told.id != meant.id).then(|| meant.id.clone());
    Some(Recipient {
        member: told.id.clone(),
        deputising_for,
    })
}

/// Returns those an audience means, the first choice first.
fn holders<'a>(directory: &'a Directory, lead: Concerned<'_>, audience: Audience) -> Vec<&'a Member> {
    let teams = lead.team.map(|team| directory.teams_up(team)).unwrap_or_default();
    let post = |of: fn(&Team) -> Option<&MemberId>| {
        let ids = teams.iter().filter_map(move |team| of(team));
        ids.filter_map(|id| directory.find_member(id))
    };
    let owner = lead.owner.and_then(|owner| directory.find_member(owner));
    let supervisors = post(|team| team.supervisor.as_ref());
    let heads = post(|team| team.director.as_ref());
    match audience {
        Audience::Owner => owner.into_iter().chain(supervisors).chain(heads).collect(),
        Audience::Supervisor => supervisors.chain(heads).collect(),
        Audience::Director => heads.chain(supervisors).collect(),
    }
}

/// Returns a member and those who represent them, the first choice first. A leaver has no deputies any more.
fn stand_ins<'a>(directory: &'a Directory, member: &'a Member) -> Vec<&'a Member> {
    let deputies = if member.active {
        deputies_of(directory, member)
    } else {
        Vec::new()
    };
    let superiors = directory.supervisors_of(&member.id);
    std::iter::once(member).chain(deputies).chain(superiors).collect()
}

/// Returns a member's deputy, that one's deputy, and so on, each once.
fn deputies_of<'a>(directory: &'a Directory, member: &'a Member) -> Vec<&'a Member> {
    let path = super::tree::ascend(&member.id, |id| directory.find_member(id)?.deputy.as_ref());
    path.into_iter()
        .skip(1)
        .filter_map(|id| directory.find_member(id))
        .collect()
}

#[cfg(test)]
mod tests;
