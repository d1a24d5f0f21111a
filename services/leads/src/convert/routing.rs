//! Routing policies and escalation ladders.

use reflex_expr::Lang;
use reflex_proto::leads::v1::{
    self as pb, ladder, routing_policy, routing_policy_finding::Code, routing_policy_version::State,
};

use super::directory::optional;
use crate::{
    convert::{duration, duration_message, timestamp},
    domain::{
        directory::Directory,
        ladder::{Audience, Ladder, RawLadder, RawStep, Step},
        routing::{Entry, Finding, PolicySpec, RawEntry, RawPolicy},
        violation::Violation,
    },
    store::policies::{ActivationRow, VersionRow},
};

/// Findings that an answer has at most.
const MOST_FINDINGS: usize = 200;

const AUDIENCES: [(ladder::Audience, Audience); 3] = [
    (ladder::Audience::Owner, Audience::Owner),
    (ladder::Audience::Supervisor, Audience::Supervisor),
    (ladder::Audience::Director, Audience::Director),
];

/// Converts a sent policy to what the domain checks.
///
/// # Errors
/// When a time is negative.
pub(crate) fn raw_policy(message: &pb::RoutingPolicy) -> Result<RawPolicy, Violation> {
    let entry = |entry: &routing_policy::Entry| RawEntry {
        territory: entry.territory.clone(),
        product: entry.product.clone(),
        team: entry.team.clone(),
        skills: entry.skills.clone(),
        when: entry.when.clone(),
    };
    Ok(RawPolicy {
        entries: message.entries.iter().map(entry).collect(),
        default_team: message.default_team.clone(),
        claim_within: duration("policy.claim_within", message.claim_within.as_ref())?,
        claim_wall_clock: message.claim_wall_clock,
        reassign_unclaimed: message.reassign_unclaimed,
    })
}

/// Converts a version of a policy to its message.
pub(crate) fn policy(version: i32, spec: &PolicySpec) -> pb::RoutingPolicy {
    let entry = |entry: &Entry| routing_policy::Entry {
        territory: optional(entry.territory.as_ref()),
        product: optional(entry.product.as_ref()),
        team: entry.team.to_string(),
        skills: entry.skills.clone(),
        when: entry.when.clone().unwrap_or_default(),
    };
    pb::RoutingPolicy {
        version,
        entries: spec.entries.iter().map(entry).collect(),
        default_team: optional(spec.default_team.as_ref()),
        claim_within: Some(duration_message(spec.claim_within)),
        claim_wall_clock: spec.claim_wall_clock,
        reassign_unclaimed: spec.reassign_unclaimed,
    }
}

/// Converts what speaks against a policy to messages, and counts it.
pub(crate) fn findings(
    findings: &[Finding],
    spec: &PolicySpec,
    directory: &Directory,
) -> (Vec<pb::RoutingPolicyFinding>, i32) {
    let message = |finding: &Finding| {
        let code = Code::from_str_name(&format!("CODE_{}", finding.code())).unwrap_or_default();
        pb::RoutingPolicyFinding {
            code: code.into(),
            refuses: finding.problem.refuses(),
            number: finding.place.map_or(0, |place| count(place + 1)),
            entry_count: count(finding.entries),
            cell: finding.cell(spec, directory, Lang::Zh),
            field: finding.field(),
            zh: finding.text(spec, directory, Lang::Zh),
            en: finding.text(spec, directory, Lang::En),
        }
    };
    let messages = findings.iter().take(MOST_FINDINGS).map(message).collect();
    (messages, count(findings.len()))
}

fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// Converts what is known of a version to its message.
pub(crate) fn version(row: &VersionRow) -> pb::RoutingPolicyVersion {
    let state = match (row.active, row.activation_count) {
        (true, _) => State::Active,
        (false, 0) => State::Draft,
        (false, _) => State::Retired,
    };
    pb::RoutingPolicyVersion {
        version: row.version,
        state: state.into(),
        create_time: Some(timestamp(row.create_time.to_jiff())),
        author: row.author.clone().unwrap_or_default(),
        note: row.note.clone(),
        entry_count: row.entry_count,
        activate_time: row.activate_time.map(|at| timestamp(at.to_jiff())),
        activation_count: row.activation_count,
    }
}

/// Converts an activation to its message.
pub(crate) fn activation(row: &ActivationRow) -> pb::RoutingPolicyActivation {
    pb::RoutingPolicyActivation {
        version: row.version,
        previous_version: row.previous_version.unwrap_or_default(),
        activate_time: Some(timestamp(row.activate_time.to_jiff())),
        actor: row.actor.clone().unwrap_or_default(),
        note: row.note.clone(),
    }
}

/// Converts a sent ladder to what the domain checks.
///
/// # Errors
/// When a time is negative.
pub(crate) fn raw_ladder(message: &pb::Ladder) -> Result<RawLadder, Violation> {
    let mut steps = Vec::with_capacity(message.steps.len());
    for (place, step) in message.steps.iter().enumerate() {
        let audience = AUDIENCES.iter().find(|(sent, _)| i32::from(*sent) == step.audience);
        steps.push(RawStep {
            after: duration(&format!("ladder.steps[{place}].after"), step.after.as_ref())?,
            audience: audience.map(|(_, audience)| *audience),
            channels: step.channels.clone(),
        });
    }
    Ok(RawLadder {
        name: message.name.clone(),
        product: message.product.clone(),
        contact_within: duration("ladder.contact_within", message.contact_within.as_ref())?,
        wall_clock: message.wall_clock,
        steps,
        require_screening: message.require_screening,
        acknowledge_stops: message.acknowledge_stops,
    })
}

/// Converts a ladder to its message.
pub(crate) fn ladder(ladder: &Ladder) -> pb::Ladder {
    pb::Ladder {
        name: ladder.id.to_string(),
        product: optional(ladder.product.as_ref()),
        contact_within: Some(duration_message(ladder.contact_within)),
        wall_clock: ladder.wall_clock,
        steps: ladder.steps.iter().map(step).collect(),
        require_screening: ladder.require_screening,
        acknowledge_stops: ladder.acknowledge_stops,
    }
}

fn step(step: &Step) -> ladder::Step {
    let audience = AUDIENCES.iter().find(|(_, audience)| *audience == step.audience);
    ladder::Step {
        after: Some(duration_message(step.after)),
        audience: audience.map_or(0, |(sent, _)| i32::from(*sent)),
        channels: step
            .channels
            .iter()
            .map(|channel| channel.as_str().to_owned())
            .collect(),
    }
}
