//! Decides about leads again, whenever it was decided about them, and follows what becomes of them. Writes nothing: it holds
//! no database.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::script::{Event, What};
use crate::{
    app::{
        past::{Moment, PastDecision, PastLead, Standing},
        recompute::{By, ClockStart},
    },
    domain::{
        assign::{LeadFacts, Snapshot, route},
        decision::{ChosenBy, Decision, Outcome, QueueReason, Trigger},
        due,
        ids::{MemberId, TeamId},
        ladder::Audience,
        routing::Policy,
    },
    setup::Setup,
};

/// By which policy a decision is made.
#[derive(Debug, Clone)]
pub(super) enum Rules<'a> {
    /// By the one it was made by.
    OnRecord(&'a HashMap<i32, Arc<Policy>>),
    /// By this one.
    Rehearsed(Option<Arc<Policy>>, &'a HashMap<i32, Arc<Policy>>),
}

/// What an owner has to claim by: how long, wall time or not, and whether the lead goes on.
type ClaimTerms = (Duration, bool, bool);

fn terms(policy: &Policy) -> ClaimTerms {
    let spec = policy.spec();
    (spec.claim_within, spec.claim_wall_clock, spec.reassign_unclaimed)
}

impl Rules<'_> {
    fn policy(&self, version: i32) -> Option<Arc<Policy>> {
        match self {
            Self::OnRecord(versions) => versions.get(&version).cloned(),
            Self::Rehearsed(policy, _) => policy.clone(),
        }
    }

    /// Tells whether who got a lead by this version had to claim it on the same terms.
    fn keeps_terms(&self, version: i32) -> bool {
        match self {
            Self::OnRecord(_) => true,
            Self::Rehearsed(policy, versions) => {
                policy.as_deref().map(terms) == versions.get(&version).map(|recorded| terms(recorded))
            }
        }
    }
}

/// By when a lead must be called, and when each step of its ladder is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Planned {
    pub(super) contact_due: Timestamp,
    pub(super) steps: Vec<(i16, Timestamp, Audience)>,
}

/// What becomes of a lead.
#[derive(Debug, Clone)]
pub(super) struct Fate {
    facts: LeadFacts,
    pub(super) owner: Option<MemberId>,
    pub(super) team: Option<TeamId>,
    pub(super) reason: &'static str,
    pub(super) entry: Option<u32>,
    pub(super) claim_due: Option<Timestamp>,
    pub(super) planned: Option<Planned>,
    /// Tells one ownership from the next.
    ownership: u32,
    /// Whether its claim runs out by the rehearsed terms and not when it did.
    own_fuse: bool,
    assign_time: Timestamp,
}

/// Leads a member is given and holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Load {
    pub(super) given: u32,
    open: u32,
    pub(super) peak: u32,
}

impl Load {
    /// Begins with what members hold.
    pub(super) fn of(standing: &Standing) -> HashMap<MemberId, Self> {
        let begin = |open: u32| Self {
            given: 0,
            open,
            peak: open,
        };
        let held = standing.open_leads.iter();
        held.map(|(member, open)| (member.clone(), begin(*open))).collect()
    }

    pub(super) fn give(&mut self) {
        self.given += 1;
        self.open += 1;
        self.peak = self.peak.max(self.open);
    }

    pub(super) fn take(&mut self) {
        self.open = self.open.saturating_sub(1);
    }
}

/// A rehearsal under way.
pub(super) struct Replay<'a> {
    setup: &'a Setup,
    rules: Rules<'a>,
    leads: &'a [PastLead],
    script: &'a [Event],
    next: usize,
    /// Until when it goes.
    end: Timestamp,
    /// Claims that run out by the rehearsed terms: when, which lead, which ownership.
    fuses: BinaryHeap<Reverse<(Timestamp, usize, u32)>>,
    snapshot: Snapshot,
    /// Leads that wait though they had an owner.
    displaced: BTreeSet<usize>,
    /// The leads that are replayed.
    known: HashSet<Uuid>,
    pub(super) fates: Vec<Fate>,
    pub(super) loads: HashMap<MemberId, Load>,
}

impl<'a> Replay<'a> {
    /// Begins at `start`, as everybody stood then.
    pub(super) fn new(
        setup: &'a Setup,
        rules: Rules<'a>,
        leads: &'a [PastLead],
        script: &'a [Event],
        standing: Standing,
        (start, end): (Moment, Timestamp),
    ) -> Self {
        Self {
            setup,
            rules,
            leads,
            script,
            next: 0,
            end,
            fuses: BinaryHeap::new(),
            loads: Load::of(&standing),
            snapshot: standing.snapshot(setup),
            displaced: BTreeSet::new(),
            known: leads.iter().map(|lead| lead.id).collect(),
            fates: leads.iter().map(|lead| Fate::at(start, lead)).collect(),
        }
    }

    /// Goes on for some events and returns how many of the script's were dealt with, none at the end.
    pub(super) fn advance(&mut self, most: usize) -> usize {
        let until = (self.next + most).min(self.script.len());
        let from = self.next;
        while self.next < until {
            let event = self.script[self.next];
            self.burn_until(event.time);
            self.next += 1;
            self.follow(event);
        }
        if self.next == self.script.len() {
            self.burn_until(self.end);
        }
        self.next - from
    }

    fn follow(&mut self, event: Event) {
        let lead = event.lead;
        let overtaken = |decision: &PastDecision, fate: &Fate| {
            // The claim ran out by the rehearsed terms, or never.
            decision.expired && fate.own_fuse
        };
        match event.what {
            What::Closed => {
                let team = self.take(lead, true, event.time);
                self.displaced.remove(&lead);
                self.fill(team.as_ref(), event.time);
            }
            What::Lost(index) => {
                if !overtaken(&self.leads[lead].decisions[index], &self.fates[lead]) {
                    let team = self.take(lead, false, event.time);
                    self.fill(team.as_ref(), event.time);
                }
            }
            What::Decided(index) => {
                let leads = self.leads;
                let decision = &leads[lead].decisions[index];
                if overtaken(decision, &self.fates[lead]) {
                    return;
                }
                let lost = decision.lost.is_some() || decision.trigger == Trigger::Captured;
                if !lost && self.fates[lead].owner.is_some() {
                    // It waited until now; in the rehearsal it has found somebody earlier.
                    return;
                }
                self.take(lead, false, event.time);
                self.suspect(lead, decision);
                if decision.is_of_pool() {
                    self.keep(lead, decision, event.time);
                    return;
                }
                self.decide(lead, event.time, decision.trigger, decision.policy_version);
                if self.fates[lead].owner.is_none() && decision.owner.is_some() {
                    self.displaced.insert(lead);
                }
                if !lost {
                    self.fill(None, event.time);
                }
            }
        }
    }

    /// Takes a lead from whoever has it, and returns the team that has room now.
    fn take(&mut self, lead: usize, closing: bool, now: Timestamp) -> Option<TeamId> {
        let fate = &mut self.fates[lead];
        let owner = fate.owner.take()?;
        self.snapshot.lead_owners.remove(&self.leads[lead].id);
        if let Some(open) = self.snapshot.open_leads.get_mut(&owner) {
            *open = open.saturating_sub(1);
        }
        self.loads.entry(owner.clone()).or_default().take();
        if closing {
            // It stays on record with its last owner.
            fate.owner = Some(owner);
        } else {
            // A cooldown says until when they shall not have it, and nobody is the previous owner.
            let cools = fate.facts.cooldowns.began(&owner, fate.assign_time, now);
            fate.facts.previous_owner = Some(owner).filter(|_| !cools);
            fate.claim_due = None;
        }
        fate.team.clone()
    }

    /// Looks again at the leads that wait though they had an owner, or those that wait for one team.
    fn fill(&mut self, team: Option<&TeamId>, now: Timestamp) {
        if self.displaced.is_empty() {
            return;
        }
        let waiting: Vec<usize> = self.displaced.iter().copied().collect();
        for lead in waiting {
            let fate = &self.fates[lead];
            if team.is_some() && fate.team.as_ref() != team {
                continue;
            }
            let version = self.leads[lead].decisions.last().map_or(0, |last| last.policy_version);
            self.decide(lead, now, Trigger::CapacityFreed, version);
            if self.fates[lead].owner.is_some() {
                self.displaced.remove(&lead);
            }
        }
    }

    /// Takes the lead for the same as those that it was suspected to be the same as; who has these goes by the rehearsal, as far
    /// as they are part of it.
    fn suspect(&mut self, lead: usize, decision: &PastDecision) {
        self.fates[lead].facts.twins.clone_from(&decision.twins);
        for twin in &decision.twins {
            if let Some(owner) = twin.owner.as_ref().filter(|_| !self.known.contains(&twin.lead)) {
                self.snapshot.lead_owners.insert(twin.lead, owner.clone());
            }
        }
    }

    /// Follows a decision of the pool, which stays whatever the policy says: somebody picks the lead, or it waits for that.
    fn keep(&mut self, lead: usize, decision: &PastDecision, now: Timestamp) {
        let fate = &mut self.fates[lead];
        (fate.owner, fate.team) = (decision.owner.clone(), decision.team.clone());
        (fate.entry, fate.claim_due) = (None, None);
        fate.reason = if let Some(owner) = &decision.owner {
            *self.snapshot.open_leads.entry(owner.clone()).or_default() += 1;
            self.snapshot.lead_owners.insert(self.leads[lead].id, owner.clone());
            self.loads.entry(owner.clone()).or_default().give();
            fate.ownership += 1;
            fate.assign_time = now;
            ChosenBy::Picked.as_str()
        } else {
            let mut kept = [QueueReason::Nurture, QueueReason::SetAside].into_iter();
            let reason = kept.find(|reason| decision.reason == reason.as_str());
            reason.unwrap_or(QueueReason::Pooled).as_str()
        };
        self.displaced.remove(&lead);
    }

    fn decide(&mut self, lead: usize, now: Timestamp, trigger: Trigger, version: i32) {
        self.snapshot.policy = self.rules.policy(version);
        let (past, fate) = (&self.leads[lead], &mut self.fates[lead]);
        fate.facts.trigger = trigger;
        let decision = route(&fate.facts, &self.snapshot, now);
        self.snapshot.apply(&fate.facts, &decision);
        fate.entry = decision.trace.matched_number;
        fate.claim_due = None;
        match &decision.outcome {
            Outcome::Assigned { owner, team, chosen_by } => {
                self.loads.entry(owner.clone()).or_default().give();
                (fate.owner, fate.team) = (Some(owner.clone()), Some(team.clone()));
                fate.reason = chosen_by.as_str();
                fate.ownership += 1;
                fate.assign_time = now;
            }
            Outcome::Queued { reason, team } => {
                (fate.owner, fate.team) = (None, team.clone());
                fate.reason = reason.as_str();
            }
        }
        if past.contact_time.is_some_and(|contact| contact < now) {
            return;
        }
        if fate.planned.is_none() {
            fate.planned = planned(self.setup, past, fate.team.as_ref(), &decision);
        }
        if let (Some(owner), Some(policy)) = (&fate.owner, &self.snapshot.policy) {
            fate.claim_due = claim_due(self.setup, policy, owner, now);
            fate.own_fuse = !self.rules.keeps_terms(version);
            if let Some(due) = fate
                .claim_due
                .filter(|_| fate.own_fuse && policy.spec().reassign_unclaimed)
            {
                self.fuses.push(Reverse((due, lead, fate.ownership)));
            }
        }
    }

    /// Lets the claims run out that do until `now`.
    fn burn_until(&mut self, now: Timestamp) {
        while let Some(&Reverse((due, lead, ownership))) = self.fuses.peek().filter(|Reverse((due, ..))| *due <= now) {
            self.fuses.pop();
            let (past, fate) = (&self.leads[lead], &self.fates[lead]);
            let is_before = |time: Option<Timestamp>| time.is_some_and(|time| time <= due);
            let claimed = past.claims.iter().any(|time| (fate.assign_time..=due).contains(time));
            let over = fate.owner.is_none() || fate.ownership != ownership;
            if over || claimed || is_before(past.contact_time) || is_before(past.closed.map(|(time, _)| time)) {
                continue;
            }
            let version = past.decisions.last().map_or(0, |last| last.policy_version);
            let team = self.take(lead, false, due);
            self.decide(lead, due, Trigger::ClaimExpired, version);
            if self.fates[lead].owner.is_none() {
                self.displaced.insert(lead);
            }
            self.fill(team.as_ref(), due);
        }
    }
}

impl Fate {
    /// Begins with what was at `start`.
    fn at(start: Moment, lead: &PastLead) -> Self {
        let (holding, previous) = lead.owners_at(start);
        let mut facts = lead.facts.clone();
        facts.previous_owner = previous;
        let is_older = lead.decisions.first().is_some_and(|first| first.moment() < start);
        Self {
            facts,
            owner: holding.and_then(|decision| decision.owner.clone()),
            team: holding.and_then(|decision| decision.team.clone()),
            reason: "",
            entry: holding.and_then(|decision| decision.entry),
            claim_due: lead.claim_due.filter(|_| is_older),
            // The ladder of an older lead runs already.
            planned: lead.contact_due.filter(|_| is_older).map(|contact_due| Planned {
                contact_due,
                steps: Vec::new(),
            }),
            ownership: 0,
            own_fuse: false,
            assign_time: holding.map_or(lead.create_time, |decision| decision.time),
        }
    }
}

fn claim_due(setup: &Setup, policy: &Policy, owner: &MemberId, now: Timestamp) -> Option<Timestamp> {
    let clock = ClockStart {
        start: now,
        run: policy.spec().claim_within,
        by: if policy.spec().claim_wall_clock {
            By::Wall
        } else {
            By::Member(owner.clone())
        },
    };
    Some(clock.due(setup).ok()?.at)
}

fn planned(setup: &Setup, lead: &PastLead, team: Option<&TeamId>, decision: &Decision) -> Option<Planned> {
    let ladder = setup.ladders.choose(&decision.trace.product_path);
    let calendar = setup.calendar_of_team(team);
    let plan = due::plan(ladder, setup.calendar(&calendar), lead.clock_start).ok()?;
    Some(Planned {
        contact_due: plan.contact_due,
        steps: plan
            .steps
            .iter()
            .map(|step| (step.number, step.due, step.audience))
            .collect(),
    })
}
