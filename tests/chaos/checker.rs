//! Holds a run to its promises: what was acknowledged is there, once, with every effect it must have, and nothing else.
//!
//! What an RPC shows is asked for over the wire; what none shows ([`facts`]) is read as the owner of the databases.

mod facts;
mod report;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    time::{Duration, Instant},
};

use reflex_proto::leads::v1::{FollowUpRecorded, Lead, LeadAssigned, LeadEscalated};
use reflex_testing::eventually;
use tokio::time::{MissedTickBehavior, interval};

use self::facts::{APPLIED, Databases, Facts, of_kind};
use self::report::Report;
use crate::{
    installation::Installation,
    ledger::{LeadName, Ledger},
    script::{PlannedLead, Script, URGENT},
};

/// How long the services may take to work off what the faults left.
const QUIET_LIMIT: Duration = Duration::from_secs(90);
/// Steps of the urgent line's ladder.
const STEPS: [i16; 3] = [1, 2, 3];

/// Waits until facts are on their way from one service to the other.
pub(crate) async fn wait_for_facts_under_way(installation: &Installation) {
    let databases = Databases::open(&installation.servers());
    eventually("facts are under way", async || databases.under_way().await > 0).await;
}

/// Waits until nothing is left to do, ladders included.
pub(crate) async fn wait_for_quiet(installation: &Installation) {
    let databases = Databases::open(&installation.servers());
    let started = Instant::now();
    let mut looks = interval(Duration::from_millis(100));
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let left = databases.work_left().await;
        if left.is_empty() {
            return;
        }
        assert!(
            started.elapsed() < QUIET_LIMIT,
            "still to be done: {left:?}\n{}",
            installation.log()
        );
    }
}

/// Compares what is there with what was promised.
pub(crate) async fn check(installation: &Installation, script: &Script, ledger: &Ledger) -> Report {
    let facts = Facts::read(installation, script).await;
    let mut report = Report::default();
    for surprise in ledger.surprises() {
        report.lost(format!("an answer nobody expects: {surprise}"));
    }
    leads_are_there_once(&facts, script, ledger, &mut report);
    leads_are_assigned_once(&facts, &mut report);
    leads_are_announced_once(&facts, &mut report);
    calls_are_recorded_once(&facts, ledger, &mut report);
    ladders_climb_once_and_stop(&facts, ledger, &mut report);
    nothing_is_left(&facts, &mut report);
    report
}

fn leads_are_there_once(facts: &Facts, script: &Script, ledger: &Ledger, report: &mut Report) {
    let sent: HashMap<&str, &PlannedLead> = script.leads.iter().map(|lead| (lead.key.as_str(), lead)).collect();
    let promised = ledger.leads();
    let mut found: HashMap<&str, &Lead> = HashMap::new();
    let mut numbers = HashSet::new();
    for (tenant, lead) in &facts.leads {
        match sent.get(lead.remark.as_str()) {
            Some(planned) if planned.tenant.as_str() == tenant => {}
            _ => report.phantom(format!("{} of {tenant} was never sent: {}", lead.name, lead.remark)),
        }
        if let Some(other) = found.insert(&lead.remark, lead) {
            report.doubled(format!(
                "{} is there twice: {} and {}",
                lead.remark, other.name, lead.name
            ));
        }
        if !numbers.insert((tenant, &lead.number)) {
            report.doubled(format!(
                "{} of {tenant} has the number of another lead: {}",
                lead.name, lead.number
            ));
        }
    }
    for (key, name) in &promised {
        match (found.get(key.as_str()), name) {
            (None, _) => report.lost(format!("{key} was acknowledged as {name:?} and is not there")),
            (Some(lead), Some(LeadName { name, number })) if *name != lead.name || *number != lead.number => {
                report.lost(format!(
                    "{key} was acknowledged as {name} {number}, but is {} {}",
                    lead.name, lead.number
                ));
            }
            _ => {}
        }
    }
}

fn leads_are_assigned_once(facts: &Facts, report: &mut Report) {
    let mut held: BTreeMap<(&str, &str), i32> = BTreeMap::new();
    for (tenant, lead) in &facts.leads {
        *held.entry((tenant, &lead.owner)).or_default() += 1;
        let choices: Vec<&str> = facts.choices_about(tenant, &lead.name).collect();
        match choices[..] {
            [] => report.unfinished(format!("{} of {tenant} was never assigned", lead.name)),
            [chosen] if chosen == lead.owner && lead.fencing_token == 1 => {}
            [chosen] => report.doubled(format!(
                "{} of {tenant} was given to {chosen}, but {} has it with token {}",
                lead.name, lead.owner, lead.fencing_token
            )),
            _ => report.doubled(format!(
                "{} of {tenant} was assigned more than once: {choices:?}",
                lead.name
            )),
        }
    }
    for (tenant, member) in &facts.members {
        let leads = held
            .get(&(tenant.as_str(), member.name.as_str()))
            .copied()
            .unwrap_or_default();
        if member.open_leads != leads {
            report.doubled(format!(
                "{} of {tenant} counts {} leads and has {leads}",
                member.name, member.open_leads
            ));
        }
    }
}

fn leads_are_announced_once(facts: &Facts, report: &mut Report) {
    let mut told: HashMap<(&str, String), usize> = HashMap::new();
    // Whom each event that tells somebody concerns.
    let mut wanted: HashMap<String, (&str, String)> = HashMap::new();
    for (event, assigned) in of_kind::<LeadAssigned>(&facts.events, "reflex.leads.v1.LeadAssigned") {
        *told.entry((&event.tenant, assigned.lead)).or_default() += 1;
        wanted.insert(event.uuid.to_string(), (&event.tenant, assigned.owner));
    }
    for (tenant, lead) in &facts.leads {
        match told.get(&(tenant.as_str(), lead.name.clone())) {
            None => report.lost(format!("nobody was told that {} of {tenant} is assigned", lead.name)),
            Some(1) => {}
            Some(times) => report.doubled(format!("{} of {tenant} was announced {times} times", lead.name)),
        }
    }
    for (event, escalated) in of_kind::<LeadEscalated>(&facts.events, "reflex.leads.v1.LeadEscalated") {
        wanted.insert(event.uuid.to_string(), (&event.tenant, escalated.recipient));
    }
    let mut written = HashSet::new();
    for (tenant, message) in &facts.messages {
        let cause = message.cause_event.as_str();
        let expected = wanted
            .get(cause)
            .is_some_and(|(of, to)| of == tenant && *to == message.recipient);
        if !expected || message.channel != "inbox" {
            report.phantom(format!(
                "{} of {tenant} tells {} of nothing: {message:?}",
                message.name, message.recipient
            ));
        }
        if !written.insert(cause) {
            report.doubled(format!("{} of {tenant} tells {cause} once more", message.name));
        }
    }
    for (event, (tenant, recipient)) in &wanted {
        if !written.contains(event.as_str()) {
            report.lost(format!("{recipient} of {tenant} was not told of {event}"));
        }
    }
    for inbox in &facts.inboxes {
        if inbox.items != inbox.messages || inbox.items != inbox.last_sequence {
            report.doubled(format!("an inbox whose items do not count up: {inbox:?}"));
        }
    }
}

fn calls_are_recorded_once(facts: &Facts, ledger: &Ledger, report: &mut Report) {
    let promised = ledger.calls();
    let mut recorded: HashMap<&str, &str> = HashMap::new();
    for (lead, follow_up) in &facts.follow_ups {
        if recorded.insert(lead, follow_up).is_some() {
            report.doubled(format!("the call of {lead} was recorded twice"));
        }
        if promised.get(lead).is_none_or(|name| name != follow_up) {
            report.phantom(format!("{follow_up} of {lead} was never acknowledged"));
        }
    }
    for (lead, follow_up) in &promised {
        if recorded.get(lead.as_str()) != Some(&follow_up.as_str()) {
            report.lost(format!("{follow_up} of {lead} was acknowledged and is not there"));
        }
    }
    let mut told = BTreeSet::new();
    for (_, event) in of_kind::<FollowUpRecorded>(&facts.events, "reflex.leads.v1.FollowUpRecorded") {
        if !told.insert(event.follow_up.clone()) {
            report.doubled(format!("{} was told twice", event.follow_up));
        }
    }
    if told.len() != recorded.len() {
        report.lost(format!(
            "{} calls were recorded and {} told",
            recorded.len(),
            told.len()
        ));
    }
}

fn ladders_climb_once_and_stop(facts: &Facts, ledger: &Ledger, report: &mut Report) {
    let called = ledger.calls();
    let mut taken: HashMap<&str, Vec<i16>> = HashMap::new();
    for step in &facts.steps {
        taken.entry(&step.lead).or_default().push(step.number);
        if step.after_call {
            report.doubled(format!("step {} of {} came after the call", step.number, step.lead));
        }
    }
    report.steps = facts.steps.len();
    for (_, lead) in &facts.leads {
        let steps = taken.get(lead.name.as_str()).map_or(&[][..], Vec::as_slice);
        // The other lines have hours.
        let all = if lead.product == URGENT { &STEPS[..] } else { &[] };
        if steps.len() > all.len() {
            report.doubled(format!("{} took the steps {steps:?}", lead.name));
        } else if *steps != all[..steps.len()] {
            report.lost(format!("{} left out a step: {steps:?}", lead.name));
        } else if steps.len() < all.len() && !called.contains_key(&lead.name) {
            report.unfinished(format!(
                "nobody called {}, and its ladder stands at {steps:?}",
                lead.name
            ));
        }
    }
    // A step that tells somebody tells it once, and before the call.
    let mut told = HashSet::new();
    let stops: HashMap<&str, i64> = facts
        .events
        .iter()
        .filter(|event| event.kind == "reflex.leads.v1.LeadFirstContacted")
        .map(|event| (event.subject.as_str(), event.id))
        .collect();
    for (event, escalated) in of_kind::<LeadEscalated>(&facts.events, "reflex.leads.v1.LeadEscalated") {
        if stops.get(event.subject.as_str()).is_some_and(|stop| *stop < event.id) {
            report.doubled(format!(
                "step {} of {} was told after the call",
                escalated.step, escalated.lead
            ));
        }
        if !told.insert((escalated.lead.clone(), escalated.step)) {
            report.doubled(format!("step {} of {} was told twice", escalated.step, escalated.lead));
        }
    }
    let telling = facts.steps.iter().filter(|step| step.has_recipient).count();
    if telling != told.len() {
        report.lost(format!(
            "{telling} steps had somebody to tell, and {} were told",
            told.len()
        ));
    }
}

fn nothing_is_left(facts: &Facts, report: &mut Report) {
    for letter in &facts.dead_letters {
        report.unfinished(format!("a dead letter: {letter}"));
    }
    let wanted = facts
        .events
        .iter()
        .filter(|event| APPLIED.contains(&event.kind.as_str()));
    for event in wanted.filter(|event| !facts.applied.contains(&event.uuid)) {
        report.unfinished(format!("{} {} was never applied", event.kind, event.uuid));
    }
    if facts.applied.len() > facts.events.len() {
        let told: HashSet<_> = facts.events.iter().map(|event| event.uuid).collect();
        for event in facts.applied.iter().filter(|event| !told.contains(event)) {
            report.phantom(format!("{event} was applied, but nobody told it"));
        }
    }
}
