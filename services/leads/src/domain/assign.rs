//! Who gets a lead: the account's owner, else whoever's turn it is in the group that the matrix names.
//!
//! Routing is a fold over a snapshot: each decision depends on the snapshot alone, and [`Snapshot::apply`] puts what it
//! changes back, so a batch decides as its leads one by one would. What is saved is the caller's business.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::{Timestamp, tz::TimeZone};
use uuid::Uuid;

use super::decision::{
    Candidate, ChosenBy, Decision, Exclusion, ExclusionReason, Outcome, QueueReason, Skipped, Trace, Trigger, TurnTaken,
};
use super::directory::Directory;
use super::distribution::{Group, Place, Turns};
use super::duplicates::{MOST_TWINS, Twin};
use super::ids::{MemberId, ResourceId};
use super::lead_fields::Details;
use super::leave::Leaves;
use super::member::Member;
use super::names::Recognition;
use super::pool::Cooldowns;
use super::routing::{Entry, Policy, Target, number, shortened};

/// What routing wants to know of a lead.
#[derive(Debug, Clone, PartialEq)]
pub struct LeadFacts {
    /// The lead.
    pub lead: Uuid,
    /// Open leads that it is suspected to be the same as, the most likely first.
    pub twins: Vec<Twin>,
    /// Territory as typed.
    pub territory: String,
    /// Product as typed.
    pub product: String,
    /// Account, empty when not known.
    pub account: String,
    /// Why it is routed.
    pub trigger: Trigger,
    /// Who shall not get it again: who gave it back, let it expire or left.
    pub previous_owner: Option<MemberId>,
    /// Who shall not get it for a time, as they lost it to the pool.
    pub cooldowns: Cooldowns,
    /// What conditions and formulas ask for; wanted only where the tenant has either.
    pub details: Details,
}

/// What routing wants to know of a tenant.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Members, teams, territories, products.
    pub directory: Arc<Directory>,
    /// The active policy.
    pub policy: Option<Arc<Policy>>,
    /// Who is away when.
    pub leaves: Arc<Leaves>,
    /// Leads each member holds, the one to be routed not counted; who holds none may be absent.
    pub open_leads: HashMap<MemberId, u32>,
    /// Turns taken in each group.
    pub turns: HashMap<Group, Turns>,
    /// Owner of each account.
    pub account_owners: HashMap<String, MemberId>,
    /// Owners of open leads that others are suspected to be the same as; may hold other leads, too.
    pub lead_owners: HashMap<Uuid, MemberId>,
    /// Where conditions read days and hours.
    pub zone: TimeZone,
}

impl Snapshot {
    /// Puts what a decision changes into the snapshot.
    pub fn apply(&mut self, lead: &LeadFacts, decision: &Decision) {
        let Outcome::Assigned { owner, .. } = &decision.outcome else {
            return;
        };
        *self.open_leads.entry(owner.clone()).or_default() += 1;
        self.lead_owners.insert(lead.lead, owner.clone());
        if let Some(TurnTaken { group, turn, .. }) = &decision.turn {
            self.turns.entry(group.clone()).or_default().record(owner, *turn);
        }
        if decision.opens_account {
            self.account_owners.insert(lead.account.clone(), owner.clone());
        }
    }

    pub(super) fn open_leads_of(&self, member: &MemberId) -> u32 {
        self.open_leads.get(member).copied().unwrap_or(0)
    }

    /// Returns the open leads that a lead is suspected to be the same as, with who has them by now.
    fn twins_of(&self, lead: &LeadFacts) -> Vec<Twin> {
        let known = |twin: &Twin| Twin {
            lead: twin.lead,
            owner: self.lead_owners.get(&twin.lead).cloned(),
        };
        lead.twins.iter().take(MOST_TWINS).map(known).collect()
    }

    /// Tells why a member cannot take a lead; the lasting reasons before the passing ones. Of a lead that was recycled with a
    /// cooldown nobody is the previous owner: the cooldown says until when.
    #[must_use]
    pub fn exclude(&self, member: &Member, skills: &[String], lead: &LeadFacts, now: Timestamp) -> Option<Exclusion> {
        let excluded = |reason, detail: String| {
            Some(Exclusion {
                member: member.id.clone(),
                reason,
                detail,
            })
        };
        if !member.active {
            return excluded(ExclusionReason::Inactive, String::new());
        }
        if !member.role.takes_leads() {
            return excluded(ExclusionReason::Role, member.role.as_str().to_owned());
        }
        if let Some(missing) = skills.iter().find(|skill| !member.skills.contains(skill)) {
            return excluded(ExclusionReason::MissingSkill, missing.clone());
        }
        if lead.previous_owner.as_ref() == Some(&member.id) {
            return excluded(ExclusionReason::PreviousOwner, lead.trigger.as_str().to_owned());
        }
        if let Some(until) = lead.cooldowns.until(&member.id, now) {
            return excluded(ExclusionReason::Cooldown, format!("until {until}"));
        }
        if let Some(until) = self.leaves.away_until(&member.id, now) {
            return excluded(ExclusionReason::OnLeave, format!("until {until}"));
        }
        let open = self.open_leads_of(&member.id);
        if open >= member.capacity {
            return excluded(ExclusionReason::AtCapacity, format!("{open} of {}", member.capacity));
        }
        None
    }
}

/// Begins what is said of the owner of a suspected duplicate who cannot take its twin.
const TWIN_OWNER: &str = "owner of a suspected duplicate";

/// Decides about leads one after the other; the snapshot then holds what the decisions changed.
pub fn route_batch(leads: &[LeadFacts], snapshot: &mut Snapshot, now: Timestamp) -> Vec<Decision> {
    let route_next = |lead| {
        let decision = route(lead, snapshot, now);
        snapshot.apply(lead, &decision);
        decision
    };
    leads.iter().map(route_next).collect()
}

/// Decides who gets a lead.
#[must_use]
pub fn route(lead: &LeadFacts, snapshot: &Snapshot, now: Timestamp) -> Decision {
    let directory = &*snapshot.directory;
    let policy = snapshot.policy.as_deref();
    let (territory_path, territory_unclear) = look_up(directory.territories.recognise(&lead.territory), |id| {
        directory.territories.path(id)
    });
    let (product_path, product_unclear) = look_up(directory.products.recognise(&lead.product), |id| {
        directory.products.path(id)
    });
    let mut trace = Trace {
        decide_time: now,
        trigger: lead.trigger,
        policy_version: policy.map_or(0, Policy::version),
        territory_path,
        territory_unclear,
        product_path,
        product_unclear,
        matched_entry: None,
        matched_number: None,
        matched_when: None,
        skipped: Vec::new(),
        skipped_count: 0,
        candidates: Vec::new(),
        exclusions: Vec::new(),
        twins: snapshot.twins_of(lead),
        account_owner: None,
    };
    let account_owner = snapshot
        .account_owners
        .get(&lead.account)
        .filter(|_| !lead.account.is_empty());
    let account_owner = account_owner.and_then(|owner| directory.find_member(owner));
    let opens_account = !lead.account.is_empty() && !account_owner.is_some_and(|owner| owner.active);
    let decided = |outcome, turn, trace| Decision {
        outcome,
        turn,
        opens_account,
        trace,
    };

    if let Some(owner) = twin_owner(lead, snapshot, now, &mut trace) {
        trace.account_owner = account_owner.map(|owner| owner.id.clone());
        return decided(assigned(owner, ChosenBy::DuplicateOwner), None, trace);
    }
    if let Some(owner) = account_owner {
        match snapshot.exclude(owner, &[], lead, now) {
            None => {
                trace.candidates.push(candidate(owner, 0.0, snapshot));
                return decided(assigned(owner, ChosenBy::AccountOwner), None, trace);
            }
            Some(mut exclusion) => {
                exclusion.detail = ["account owner", &exclusion.detail].join(" ").trim_end().into();
                trace.exclusions.push(exclusion);
            }
        }
    }
    let Some(policy) = policy else {
        return decided(
            Outcome::Queued {
                reason: QueueReason::NoPolicy,
                team: None,
            },
            None,
            trace,
        );
    };
    let Some(target) = resolve(policy, lead, snapshot, now, &mut trace) else {
        return decided(
            Outcome::Queued {
                reason: QueueReason::NoEntry,
                team: None,
            },
            None,
            trace,
        );
    };
    let line = line_up(target, lead, snapshot, now, &mut trace);
    let Some(&(first, first_place)) = line.first() else {
        let reason = QueueReason::of(&trace.exclusions);
        return decided(
            Outcome::Queued {
                reason,
                team: Some(target.group.team.clone()),
            },
            None,
            trace,
        );
    };
    let chosen_by = match line.get(1) {
        None => ChosenBy::OnlyCandidate,
        Some((_, second)) if second.finish > first_place.finish => ChosenBy::NextTurn,
        Some((_, second)) if second.last_turn > first_place.last_turn => ChosenBy::LongestWait,
        Some(_) => ChosenBy::SmallestId,
    };
    let no_turns = Turns::default();
    let turns = snapshot.turns.get(target.group).unwrap_or(&no_turns);
    let turn = TurnTaken {
        group: target.group.clone(),
        turn: turns.next_turn(&first.id, first.weight),
        before: turns.last_of(&first.id),
    };
    decided(assigned(first, chosen_by), Some(turn), trace)
}

/// Returns who has a lead that this one is suspected to be the same as, noted as the candidate; none, noted as excluded, who
/// cannot take leads at all. Their room does not matter: another lead of a customer they have is no other customer.
fn twin_owner<'a>(lead: &LeadFacts, snapshot: &'a Snapshot, now: Timestamp, trace: &mut Trace) -> Option<&'a Member> {
    let owner = trace.twins.iter().find_map(|twin| twin.owner.as_ref())?;
    let owner = snapshot.directory.find_member(owner)?;
    let is_full = |exclusion: &Exclusion| exclusion.reason == ExclusionReason::AtCapacity;
    match snapshot.exclude(owner, &[], lead, now).filter(|it| !is_full(it)) {
        None => {
            trace.candidates.push(candidate(owner, 0.0, snapshot));
            Some(owner)
        }
        Some(mut exclusion) => {
            exclusion.detail = [TWIN_OWNER, &exclusion.detail].join(" ").trim_end().into();
            trace.exclusions.push(exclusion);
            None
        }
    }
}

/// Finds where the policy sends the lead, and notes which entry matched and which conditions did not hold.
fn resolve<'a>(
    policy: &'a Policy,
    lead: &LeadFacts,
    snapshot: &Snapshot,
    now: Timestamp,
    trace: &mut Trace,
) -> Option<Target<'a>> {
    // Read only once a condition is met: most leads of most policies meet none.
    let mut inquiry = None;
    let target = policy.resolve(&trace.territory_path, &trace.product_path, |place, entry| {
        let Some(when) = entry.when.as_deref() else {
            return true;
        };
        let Some(conditions) = policy.conditions() else {
            return false;
        };
        let inquiry = inquiry.get_or_insert_with(|| conditions.inquire(lead, now, &snapshot.zone));
        let holds = inquiry.holds(place);
        if !holds {
            trace.skipped_count += 1;
            if trace.skipped.len() < Skipped::KEPT {
                trace.skipped.push(Skipped {
                    number: number(place),
                    entry: entry.label(),
                    when: shortened(when),
                    missing: inquiry.missing(place),
                });
            }
        }
        holds
    })?;
    trace.matched_entry = target.entry.map(Entry::label);
    trace.matched_number = target.place.map(number);
    trace.matched_when = target.entry.and_then(|entry| entry.when.clone());
    Some(target)
}

/// Orders those who can take the lead by whose turn it is, and notes everybody of the team in the trace.
fn line_up<'a>(
    target: Target<'_>,
    lead: &LeadFacts,
    snapshot: &'a Snapshot,
    now: Timestamp,
    trace: &mut Trace,
) -> Vec<(&'a Member, Place)> {
    let no_turns = Turns::default();
    let turns = snapshot.turns.get(target.group).unwrap_or(&no_turns);
    let noted: Vec<MemberId> = trace
        .exclusions
        .iter()
        .map(|exclusion| exclusion.member.clone())
        .collect();
    let mut line = Vec::new();
    for member in snapshot.directory.members_of(&target.group.team) {
        match snapshot.exclude(member, target.skills(), lead, now) {
            None => line.push((member, turns.place(&member.id, member.weight))),
            // The account's owner and that of a duplicate are noted already.
            Some(exclusion) if noted.contains(&exclusion.member) => {}
            Some(exclusion) => trace.exclusions.push(exclusion),
        }
    }
    // Members come by id and the sort is stable, so equals stay in order of their ids.
    line.sort_by_key(|(_, place)| (place.finish, place.last_turn));
    let deficits = deficits(&line);
    let noted = line
        .iter()
        .zip(deficits)
        .map(|((member, _), deficit)| candidate(member, deficit, snapshot));
    trace.candidates.extend(noted);
    line
}

/// Returns how many weighted turns each is behind the weighted mean of all.
#[expect(
    clippy::cast_precision_loss,
    reason = "shown to people; the decision was made with integers"
)]
fn deficits(line: &[(&Member, Place)]) -> Vec<f64> {
    let weights: i128 = line.iter().map(|(member, _)| i128::from(member.weight)).sum();
    let weighted = |(member, place): &(&Member, Place)| i128::from(member.weight) * i128::from(place.position());
    let total: i128 = line.iter().map(weighted).sum();
    let behind = |place: &Place| {
        let distance = total - weights * i128::from(place.position());
        distance as f64 / (weights * i128::from(place.cost)) as f64
    };
    line.iter().map(|(_, place)| behind(place)).collect()
}

fn candidate(member: &Member, deficit: f64, snapshot: &Snapshot) -> Candidate {
    Candidate {
        member: member.id.clone(),
        weight: member.weight,
        deficit,
        open_leads: snapshot.open_leads_of(&member.id),
        capacity: member.capacity,
    }
}

fn assigned(owner: &Member, chosen_by: ChosenBy) -> Outcome {
    Outcome::Assigned {
        owner: owner.id.clone(),
        team: owner.team.clone(),
        chosen_by,
    }
}

/// Returns the path of what was recognised, and what it could be if that is unclear.
pub(super) fn look_up<'a, Id: ResourceId + 'a>(
    recognition: Recognition<Id>,
    path_of: impl FnOnce(&Id) -> &'a [Id],
) -> (Vec<Id>, Vec<Id>) {
    match recognition {
        Recognition::Known(id) => (path_of(&id).to_vec(), Vec::new()),
        Recognition::Ambiguous(ids) => (Vec::new(), ids),
        Recognition::Empty | Recognition::Unknown => (Vec::new(), Vec::new()),
    }
}

#[cfg(test)]
mod tests;
