//! Routing policies and escalation ladders.

use reflex_proto::leads::v1::{self as pb, ladder, routing_policy};

use super::directory::optional;
use crate::{
    convert::{duration, duration_message},
    domain::{
        ladder::{Audience, Ladder, RawLadder, RawStep, Step},
        routing::{Entry, PolicySpec, RawEntry, RawPolicy},
        violation::Violation,
    },
};

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
