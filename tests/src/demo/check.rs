//! Accounts for every lead: what was answered, what is stored, who was told. Each sentence returned is something missing.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use reflex_proto::{
    leads::v1::{ExplainAssignmentResponse, Lead, lead::State},
    notifications::v1::{Message, message},
};

use super::{
    book::{Book, Chapter, ESCALATED, assignments, duration, instant},
    enquiries::Posts,
    fairness::shares,
    salespeople::Person,
};
use crate::simulator::Stats;

/// Channel of the in-app inbox.
pub(super) const INBOX: &str = "inbox";
/// Class of what tells an owner about a lead.
pub(super) const ASSIGNMENT: &str = "assignment";
/// Class of the steps of ladders.
pub(super) const ESCALATION: &str = "escalation";

/// Returns everything that is missing or too much.
pub(super) fn problems(book: &Book, posts: &Posts, absent: &Person) -> Vec<String> {
    let mut problems = Vec::new();
    for reason in &posts.refused {
        problems.push(format!("a form was refused: {reason}"));
    }
    for post in posts.taken.iter().filter(|post| post.existed) {
        problems.push(format!("{}: {} was taken for a repetition", post.tenant, post.number));
    }
    for chapter in &book.chapters {
        let mut found = chapter_problems(chapter, posts);
        if chapter.tenant == absent.tenant {
            let given = chapter
                .explained()
                .flat_map(|(_, explanation)| assignments(explanation));
            let count = given.filter(|decision| decision.chosen == absent.member).count();
            found.extend((count > 0).then(|| format!("{} is on leave and got {count} leads", absent.member)));
        }
        problems.extend(
            found
                .into_iter()
                .map(|problem| format!("{}: {problem}", chapter.tenant)),
        );
    }
    problems.extend(provider_problems(book));
    problems
}

fn chapter_problems(chapter: &Chapter, posts: &Posts) -> Vec<String> {
    let mut problems = listing_problems(chapter, posts);
    let told = Told::of(chapter);
    for (lead, explanation) in chapter.explained() {
        let found = [
            standing_problem(lead, explanation),
            told.assignment_problem(lead, explanation),
            told.escalation_problem(lead, explanation),
            ladder_problem(chapter, lead, explanation),
        ];
        problems.extend(
            found
                .into_iter()
                .flatten()
                .map(|problem| format!("{}: {problem}", lead.number)),
        );
    }
    for (team, share) in shares(chapter) {
        if !share.is_fair() {
            problems.push(format!("{team}: somebody was {:.2} weighted turns ahead", share.ahead));
        }
    }
    problems.extend(item_problems(chapter));
    if chapter.dead_letters > 0 {
        problems.push(format!("{} events are dead letters", chapter.dead_letters));
    }
    problems
}

/// Every answered lead is listed once under its number, and nothing else is.
fn listing_problems(chapter: &Chapter, posts: &Posts) -> Vec<String> {
    let mut problems = Vec::new();
    let mut listed: HashMap<&str, Vec<&str>> = HashMap::new();
    for lead in &chapter.leads {
        listed.entry(&lead.name).or_default().push(&lead.number);
    }
    let mut numbers = HashSet::new();
    for post in posts.taken.iter().filter(|post| post.tenant == chapter.tenant) {
        if !numbers.insert(post.number.as_str()) {
            problems.push(format!("{} was given twice", post.number));
        }
        match listed.remove(post.name.as_str()).as_deref() {
            Some([number]) if *number == post.number => {}
            Some(numbers) => problems.push(format!("{} is listed as {numbers:?}", post.number)),
            None => problems.push(format!("{} was answered and is not listed", post.number)),
        }
    }
    problems.extend(
        listed
            .into_values()
            .map(|numbers| format!("{numbers:?} is listed and was never answered")),
    );
    problems
}

/// A lead waits with a reason, or has the owner of its last decision.
fn standing_problem(lead: &Lead, explanation: &ExplainAssignmentResponse) -> Option<String> {
    let last = explanation.decisions.last()?;
    match lead.state() {
        State::Unspecified | State::Captured => Some("is not routed".to_owned()),
        State::Queued if lead.queue_reason.is_empty() => Some("waits without a reason".to_owned()),
        State::Queued if !lead.owner.is_empty() => Some(format!("waits and is owned by {}", lead.owner)),
        State::Queued => None,
        _ if lead.owner.is_empty() => Some("has no owner".to_owned()),
        _ if lead.owner != last.chosen => Some(format!("is owned by {}, not by {}", lead.owner, last.chosen)),
        _ => None,
    }
}

/// What the ledger says was put into inboxes.
struct Told<'a> {
    /// Messages by class, lead and recipient.
    counts: HashMap<(&'a str, &'a str, &'a str), usize>,
}

impl<'a> Told<'a> {
    fn of(chapter: &'a Chapter) -> Self {
        let mut counts: HashMap<_, usize> = HashMap::new();
        for message in chapter.messages.iter().filter(|message| message.channel == INBOX) {
            let key = (
                message.message_class.as_str(),
                message.subject.as_str(),
                message.recipient.as_str(),
            );
            *counts.entry(key).or_default() += 1;
        }
        Self { counts }
    }

    /// Whoever got a lead was told once for each time they got it, and nobody else was.
    fn assignment_problem(&self, lead: &Lead, explanation: &ExplainAssignmentResponse) -> Option<String> {
        self.difference(
            ASSIGNMENT,
            lead,
            assignments(explanation).map(|decision| decision.chosen.as_str()),
        )
    }

    /// Whoever a step of the ladder concerns was told once for each step.
    fn escalation_problem(&self, lead: &Lead, explanation: &ExplainAssignmentResponse) -> Option<String> {
        let steps = explanation.history.iter().filter(|entry| entry.kind == ESCALATED);
        self.difference(ESCALATION, lead, steps.map(|entry| entry.member.as_str()))
    }

    fn difference<'b>(&self, class: &str, lead: &Lead, expected: impl Iterator<Item = &'b str>) -> Option<String> {
        let mut wanted: BTreeMap<&str, usize> = BTreeMap::new();
        for recipient in expected {
            *wanted.entry(recipient).or_default() += 1;
        }
        let about_lead = self
            .counts
            .iter()
            .filter(|((of, subject, _), _)| *of == class && *subject == lead.name);
        let told: BTreeMap<&str, usize> = about_lead
            .map(|((_, _, recipient), count)| (*recipient, *count))
            .collect();
        (wanted != told).then(|| format!("{class} should be told to {wanted:?} and was told to {told:?}"))
    }
}

/// A fast ladder climbs step by step, each once, to its top or to the first call.
fn ladder_problem(chapter: &Chapter, lead: &Lead, explanation: &ExplainAssignmentResponse) -> Option<String> {
    let steps: Vec<(usize, Timestamp)> = explanation
        .history
        .iter()
        .filter(|entry| entry.kind == ESCALATED)
        .filter_map(|entry| Some((step_number(&entry.detail)?, instant(entry.time)?)))
        .collect();
    let Some(ladder) = chapter.fast_ladder(explanation) else {
        return (!steps.is_empty()).then(|| "climbs a ladder of hours within seconds".to_owned());
    };
    let due = instant(lead.contact_due_time)?;
    let contacted = instant(lead.first_contact_time);
    for (at, (number, time)) in steps.iter().enumerate() {
        if *number != at + 1 {
            return Some(format!("step {number} of its ladder came as number {}", at + 1));
        }
        let after = ladder
            .steps
            .get(at)
            .map_or(SignedDuration::ZERO, |step| duration(step.after));
        if *time < due + after {
            return Some(format!("step {number} of its ladder came early"));
        }
        if contacted.is_some_and(|contacted| *time > contacted) {
            return Some(format!("step {number} of its ladder came after the call"));
        }
    }
    let is_complete = contacted.is_some() || steps.len() == ladder.steps.len();
    (!is_complete).then(|| {
        format!(
            "nobody called, and {} of {} steps came",
            steps.len(),
            ladder.steps.len()
        )
    })
}

/// Reads the number out of "step 2 of 3, supervisor".
pub(super) fn step_number(detail: &str) -> Option<usize> {
    detail.split_whitespace().nth(1)?.parse().ok()
}

/// Every message to the inbox is there as an item, once.
fn item_problems(chapter: &Chapter) -> Vec<String> {
    let delivered = |message: &&Message| message.channel == INBOX && message.state() == message::State::Delivered;
    let mut missing: HashMap<&str, &str> = chapter
        .messages
        .iter()
        .filter(delivered)
        .map(|message| (message.name.as_str(), message.recipient.as_str()))
        .collect();
    let mut problems = Vec::new();
    for item in &chapter.items {
        if missing.remove(item.message.as_str()) != Some(item.recipient.as_str()) {
            problems.push(format!(
                "{} of {} is there twice or not in the ledger",
                item.name, item.recipient
            ));
        }
    }
    problems.extend(
        missing
            .into_iter()
            .map(|(message, who)| format!("{message} is not in the inbox of {who}")),
    );
    problems
}

/// The providers refused nothing, locked nobody, and took what the ledger says they took.
fn provider_problems(book: &Book) -> Vec<String> {
    let Stats {
        accepted,
        rejected,
        locks,
        ..
    } = book.providers;
    let mut problems = Vec::new();
    if rejected > 0 || locks > 0 {
        problems.push(format!(
            "the providers rejected {rejected} messages and locked {locks} robots"
        ));
    }
    let failed = book
        .messages()
        .filter(|message| message.state() == message::State::Failed)
        .count();
    if failed > 0 {
        problems.push(format!("{failed} messages were given up"));
    }
    let by_robot = |message: &&Message| message.channel != INBOX && message.state() == message::State::Delivered;
    let delivered = book.messages().filter(by_robot).count();
    if u64::try_from(delivered) != Ok(accepted) {
        problems.push(format!(
            "the ledger has {delivered} messages by robot, the providers {accepted}"
        ));
    }
    problems
}

#[cfg(test)]
mod tests {
    use reflex_proto::leads::v1::{Ladder, LeadHistoryEntry, RoutingDecision, ladder};

    use super::*;

    #[test]
    fn steps_are_read_from_the_history() {
        assert_eq!(step_number("step 2 of 3, supervisor"), Some(2));
        assert_eq!(step_number(""), None);
    }

    #[test]
    fn a_lead_without_owner_or_reason_is_found() {
        let explanation = ExplainAssignmentResponse {
            decisions: vec![RoutingDecision::default()],
            ..Default::default()
        };
        let lead = |state: State, owner: &str, reason: &str| Lead {
            state: state.into(),
            owner: owner.to_owned(),
            queue_reason: reason.to_owned(),
            ..Lead::default()
        };
        for (lead, is_fine) in [
            (lead(State::Captured, "", ""), false),
            (lead(State::Queued, "", "at_capacity"), true),
            (lead(State::Queued, "", ""), false),
            (lead(State::Assigned, "", ""), false),
            (lead(State::Assigned, "members/a", ""), false),
        ] {
            assert_eq!(standing_problem(&lead, &explanation).is_none(), is_fine, "{lead:?}");
        }
    }

    #[test]
    fn every_way_a_fast_ladder_can_be_wrong_is_found() {
        let time = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        let step = |seconds| ladder::Step {
            after: Some(prost_types::Duration { seconds, nanos: 0 }),
            ..ladder::Step::default()
        };
        let golden = Ladder {
            product: "products/golden".to_owned(),
            contact_within: Some(prost_types::Duration { seconds: 15, nanos: 0 }),
            wall_clock: true,
            steps: vec![step(0), step(5)],
            ..Ladder::default()
        };
        let chapter = Chapter {
            tenant: "huadong".parse().unwrap(),
            teams: Vec::new(),
            members: BTreeMap::new(),
            ladders: vec![golden],
            leads: Vec::new(),
            explanations: HashMap::new(),
            messages: Vec::new(),
            items: Vec::new(),
            dead_letters: 0,
        };
        let problem = |product: &str, contacted: Option<i64>, steps: &[(i64, i64)]| {
            let decision = RoutingDecision {
                product_path: vec![product.to_owned()],
                ..RoutingDecision::default()
            };
            let escalated = |&(number, seconds): &(i64, i64)| LeadHistoryEntry {
                kind: ESCALATED.to_owned(),
                time: time(seconds),
                detail: format!("step {number} of 2, owner"),
                ..LeadHistoryEntry::default()
            };
            let explanation = ExplainAssignmentResponse {
                decisions: vec![decision],
                history: steps.iter().map(escalated).collect(),
            };
            let lead = Lead {
                contact_due_time: time(100),
                first_contact_time: contacted.and_then(time),
                ..Lead::default()
            };
            ladder_problem(&chapter, &lead, &explanation).is_some()
        };
        let golden = "products/golden";
        assert!(!problem(golden, None, &[(1, 100), (2, 105)]), "to the top");
        assert!(!problem(golden, Some(90), &[]), "called in time");
        assert!(!problem(golden, Some(103), &[(1, 100)]), "stopped on the way");
        assert!(problem(golden, None, &[(1, 100)]), "a step is missing");
        assert!(
            problem(golden, None, &[(1, 100), (1, 101), (2, 105)]),
            "a step came twice"
        );
        assert!(
            problem(golden, Some(103), &[(1, 100), (2, 105)]),
            "a step came after the call"
        );
        assert!(problem(golden, None, &[(1, 99), (2, 105)]), "a step came early");
        assert!(problem("products/other", None, &[(1, 100)]), "a slow ladder climbs");
        assert!(!problem("products/other", None, &[]), "a slow ladder waits");
    }

    #[test]
    fn whoever_is_not_told_or_told_twice_is_found() {
        let lead = Lead {
            name: "leads/1".to_owned(),
            ..Lead::default()
        };
        let told = |count| Told {
            counts: HashMap::from([((ASSIGNMENT, "leads/1", "members/a"), count)]),
        };
        assert_eq!(told(1).difference(ASSIGNMENT, &lead, ["members/a"].into_iter()), None);
        for (told, expected) in [(told(2), "members/a"), (told(1), "members/b")] {
            assert!(told.difference(ASSIGNMENT, &lead, [expected].into_iter()).is_some());
        }
        assert!(told(1).difference(ASSIGNMENT, &lead, [].into_iter()).is_some());
    }
}
