//! What happened to leads, in the order in which it counts for routing.

use std::collections::HashMap;

use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    app::past::{Moment, PastLead, Standing},
    domain::ids::MemberId,
};

/// Something that happened to a lead, at its place in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Event {
    pub(super) time: Timestamp,
    /// Order of what happened at one instant.
    id: Uuid,
    pub(super) what: What,
    /// Place among the leads.
    pub(super) lead: usize,
}

/// What happened; an owner loses a lead before it is decided about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    /// The lead was closed.
    Closed,
    /// Its owner lost it, ahead of the decision at this place.
    Lost(usize),
    /// It was decided about; place among the lead's decisions.
    Decided(usize),
}

/// Lists what happened since `start`, in order.
pub(super) fn script(leads: &[PastLead], start: Moment) -> Vec<Event> {
    let mut script = Vec::new();
    for (place, lead) in leads.iter().enumerate() {
        let mut add = |(time, id), what| {
            script.push(Event {
                time,
                id,
                what,
                lead: place,
            });
        };
        for (index, decision) in lead.since(start) {
            if let Some(lost) = decision.lost.filter(|lost| *lost >= start) {
                add(lost, What::Lost(index));
            }
            add(decision.moment(), What::Decided(index));
        }
        if let Some(closed) = lead.closed.filter(|closed| *closed >= start) {
            add(closed, What::Closed);
        }
    }
    script.sort_unstable();
    script
}

/// How far an event may stand from where its effect was seen.
const NEARBY: usize = 500;

/// Puts what happened into the order in which decisions saw it. An entry of the history is written a moment before it is
/// committed, and decisions between the two see the owner with the lead still; how many open leads they saw is on record.
pub(super) fn as_seen(script: Vec<Event>, leads: &[PastLead], standing: &Standing, start: Moment) -> Vec<Event> {
    let mut seen = Seen {
        open: standing.open_leads.clone(),
        owners: leads
            .iter()
            .map(|lead| lead.owners_at(start).0.and_then(|decision| decision.owner.clone()))
            .collect(),
        order: Vec::with_capacity(script.len()),
    };
    let mut script: Vec<Option<Event>> = script.into_iter().map(Some).collect();
    for at in 0..script.len() {
        let Some(event) = script[at].take() else { continue };
        let What::Decided(index) = event.what else {
            seen.lose(event);
            continue;
        };
        let decision = &leads[event.lead].decisions[index];
        if let Some(owner) = seen.owners[event.lead].take() {
            seen.add(&owner, -1);
        }
        let mut later = Vec::new();
        for (member, open) in &decision.open_leads {
            while seen.open_of(member) < *open {
                match seen.take_back(member) {
                    Some(lost) => later.push(lost),
                    None => break,
                }
            }
            let nearby = (at + 1..script.len()).take(NEARBY);
            for ahead in nearby {
                if seen.open_of(member) <= *open {
                    break;
                }
                let loses = |event: &Event| {
                    !matches!(event.what, What::Decided(_)) && seen.owners[event.lead].as_ref() == Some(member)
                };
                if script[ahead].as_ref().is_some_and(loses)
                    && let Some(event) = script[ahead].take()
                {
                    seen.lose(event);
                }
            }
        }
        if let Some(owner) = &decision.owner {
            seen.add(owner, 1);
            seen.owners[event.lead] = Some(owner.clone());
        }
        seen.order.push((event, None));
        later.into_iter().rev().for_each(|lost| seen.lose(lost));
    }
    let mut order: Vec<Event> = seen.order.into_iter().map(|(event, _)| event).collect();
    // Time does not run backwards for what was moved.
    for at in 1..order.len() {
        order[at].time = order[at].time.max(order[at - 1].time);
    }
    order
}

/// Who held what while the script is gone through.
struct Seen {
    open: HashMap<MemberId, u32>,
    owners: Vec<Option<MemberId>>,
    /// Events, with whoever lost a lead by one.
    order: Vec<(Event, Option<MemberId>)>,
}

impl Seen {
    fn open_of(&self, member: &MemberId) -> u32 {
        self.open.get(member).copied().unwrap_or(0)
    }

    fn add(&mut self, member: &MemberId, change: i32) {
        let open = self.open.entry(member.clone()).or_default();
        *open = open.saturating_add_signed(change);
    }

    fn lose(&mut self, event: Event) {
        let owner = self.owners[event.lead].take();
        if let Some(owner) = &owner {
            self.add(owner, -1);
        }
        self.order.push((event, owner));
    }

    /// Takes the last event back by which a member lost a lead, if it was lately.
    fn take_back(&mut self, member: &MemberId) -> Option<Event> {
        let lately = self.order.len().saturating_sub(NEARBY);
        let place = self.order[lately..]
            .iter()
            .rposition(|(_, lost)| lost.as_ref() == Some(member))?;
        // What has been decided about the lead since stands on its loss.
        let (event, _) = self.order[lately + place].clone();
        if self.owners[event.lead].is_some() {
            return None;
        }
        self.order.remove(lately + place);
        self.add(member, 1);
        self.owners[event.lead] = Some(member.clone());
        Some(event)
    }
}
