//! What happened beside what would have, as it is sent.

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};
use reflex_proto::leads::v1::simulate_routing_response::{self as pb, Summary};

use super::replay::{Fate, Load, Replay};
use super::script::{Event, What};
use crate::{
    app::past::{Moment, PastLead, Standing},
    convert,
    domain::ids::{LeadId, MemberId},
    store::leads::number_text,
};

/// Times that differ less than this were computed from clocks that were read a moment apart.
const MOMENT: SignedDuration = SignedDuration::from_millis(5);

/// What became of a lead, in the words of answers.
#[derive(Debug, Clone, PartialEq, Eq)]
struct End {
    owner: String,
    team: String,
    reason: String,
    claim_due: Option<Timestamp>,
    contact_due: Option<Timestamp>,
    steps: Vec<(i16, String)>,
    entry: u32,
}

impl End {
    fn on_record(lead: &PastLead) -> Self {
        let last = lead.decisions.last();
        let name = |of: Option<String>| of.unwrap_or_default();
        Self {
            owner: name(last.and_then(|it| it.owner.as_ref()).map(ToString::to_string)),
            team: name(last.and_then(|it| it.team.as_ref()).map(ToString::to_string)),
            reason: name(last.map(|it| it.reason.clone())),
            claim_due: lead.claim_due,
            contact_due: lead.contact_due,
            steps: lead.steps.clone(),
            entry: last.and_then(|it| it.entry).unwrap_or_default(),
        }
    }

    /// Where the same is planned as by the set-up in force, what happened stands; else a step is taken that is due before
    /// somebody calls.
    fn rehearsed(lead: &PastLead, fate: &Fate, in_force: &Fate, now: Timestamp) -> Self {
        let stop = [lead.contact_time, lead.closed.map(|(time, _)| time), Some(now)]
            .into_iter()
            .flatten()
            .min();
        let steps = match &fate.planned {
            planned if *planned == in_force.planned => lead.steps.clone(),
            None => Vec::new(),
            Some(planned) => {
                let due = planned.steps.iter().filter(|(_, due, _)| Some(*due) < stop);
                due.map(|(number, _, audience)| (*number, audience.as_str().to_owned()))
                    .collect()
            }
        };
        Self {
            owner: fate.owner.as_ref().map(ToString::to_string).unwrap_or_default(),
            team: fate.team.as_ref().map(ToString::to_string).unwrap_or_default(),
            reason: fate.reason.to_owned(),
            claim_due: fate.claim_due,
            contact_due: fate.planned.as_ref().map(|planned| planned.contact_due),
            steps,
            entry: fate.entry.unwrap_or_default(),
        }
    }

    fn differences(&self, other: &Self) -> Vec<&'static str> {
        let apart = |one: Option<Timestamp>, other: Option<Timestamp>| match (one, other) {
            (Some(one), Some(other)) => one.duration_since(other).abs() >= MOMENT,
            (one, other) => one != other,
        };
        [
            ("owner", self.owner != other.owner),
            ("team", self.team != other.team),
            ("claim_due_time", apart(self.claim_due, other.claim_due)),
            ("contact_due_time", apart(self.contact_due, other.contact_due)),
            ("escalations", self.steps != other.steps),
        ]
        .into_iter()
        .filter_map(|(field, differs)| differs.then_some(field))
        .collect()
    }

    fn to_message(&self) -> pb::Fate {
        pb::Fate {
            owner: self.owner.clone(),
            team: self.team.clone(),
            reason: self.reason.clone(),
            claim_due_time: self.claim_due.map(convert::timestamp),
            contact_due_time: self.contact_due.map(convert::timestamp),
            escalation_count: count(self.steps.len()),
            entry: i32::try_from(self.entry).unwrap_or(i32::MAX),
        }
    }
}

fn count(items: usize) -> i32 {
    i32::try_from(items).unwrap_or(i32::MAX)
}

/// Compares what happened with a rehearsal, and with one of what was in force, which tells what cannot be reproduced.
pub(super) fn compare(
    leads: &[PastLead],
    rehearsed: &Replay<'_>,
    in_force: &Replay<'_>,
    (start, now): (Moment, Timestamp),
    entries: usize,
) -> (Vec<pb::Difference>, Summary) {
    let mut differences = Vec::new();
    let mut summary = Summary {
        start_time: Some(convert::timestamp(start.0)),
        entry_counts: vec![0; entries + 1],
        ..Summary::default()
    };
    let mut steps: BTreeMap<String, (i32, i32)> = BTreeMap::new();
    for (place, lead) in leads.iter().enumerate() {
        if lead.since(start).next().is_none() {
            continue;
        }
        let (fate, present) = (&rehearsed.fates[place], &in_force.fates[place]);
        let before = End::on_record(lead);
        let after = End::rehearsed(lead, fate, present, now);
        let reproduced = before
            .differences(&End::rehearsed(lead, present, present, now))
            .is_empty();
        let fields = before.differences(&after);
        summary.lead_count += 1;
        summary.unreproduced_count += i32::from(!reproduced);
        summary.waiting_before += i32::from(before.owner.is_empty() && lead.closed.is_none());
        summary.waiting_after += i32::from(after.owner.is_empty() && lead.closed.is_none());
        summary.owner_count += i32::from(fields.contains(&"owner"));
        if let Some(count) = summary
            .entry_counts
            .get_mut(after.entry as usize)
            .filter(|_| !after.owner.is_empty())
        {
            *count += 1;
        }
        for (_, audience) in &before.steps {
            steps.entry(audience.clone()).or_default().0 += 1;
        }
        for (_, audience) in &after.steps {
            steps.entry(audience.clone()).or_default().1 += 1;
        }
        if !fields.is_empty() {
            summary.difference_count += 1;
            differences.push(pb::Difference {
                lead: LeadId(lead.id).to_string(),
                number: number_text(lead.number),
                company: lead.company.clone(),
                before: Some(before.to_message()),
                after: Some(after.to_message()),
                fields: fields.into_iter().map(str::to_owned).collect(),
                unreproduced: !reproduced,
            });
        }
    }
    let told = steps
        .into_iter()
        .map(|(audience, (before_count, after_count))| pb::Escalations {
            audience,
            before_count,
            after_count,
        });
    summary.escalations = told.collect();
    (differences, summary)
}

/// Counts what members were given and held.
pub(super) fn loads_on_record(
    leads: &[PastLead],
    script: &[Event],
    standing: &Standing,
    start: Moment,
) -> HashMap<MemberId, Load> {
    let mut counts = Load::of(standing);
    let mut owners: Vec<Option<&MemberId>> = leads
        .iter()
        .map(|lead| lead.owners_at(start).0.and_then(|decision| decision.owner.as_ref()))
        .collect();
    for event in script {
        if let Some(owner) = owners[event.lead].take() {
            counts.entry(owner.clone()).or_default().take();
        }
        if let What::Decided(index) = event.what {
            let owner = leads[event.lead].decisions[index].owner.as_ref();
            owners[event.lead] = owner;
            if let Some(owner) = owner {
                counts.entry(owner.clone()).or_default().give();
            }
        }
    }
    counts
}

/// Puts the loads before and after side by side, by name.
pub(super) fn loads(before: &HashMap<MemberId, Load>, after: &HashMap<MemberId, Load>) -> Vec<pb::Load> {
    let members: BTreeMap<String, &MemberId> = before
        .keys()
        .chain(after.keys())
        .map(|member| (member.to_string(), member))
        .collect();
    let of = |loads: &HashMap<MemberId, Load>, member| loads.get(member).copied().unwrap_or_default();
    let number = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    members
        .into_iter()
        .map(|(name, member)| {
            let (before, after) = (of(before, member), of(after, member));
            pb::Load {
                member: name,
                given_before: number(before.given),
                given_after: number(after.given),
                peak_before: number(before.peak),
                peak_after: number(after.peak),
            }
        })
        .filter(|load| load.given_before + load.given_after > 0)
        .collect()
}
