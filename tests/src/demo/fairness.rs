//! How far anybody was ahead of anybody else when a lead was given away.

use std::collections::BTreeMap;

use reflex_proto::leads::v1::RoutingDecision;

use super::book::{Chapter, assignments};

/// What is promised: nobody who can take a lead is more than one weighted turn ahead of another who can.
const PROMISE: f64 = 1.0;
/// Standings are told as floating point numbers.
const ROUNDING: f64 = 1e-6;

/// How a team's leads were shared.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Share {
    /// Leads given to somebody of the team.
    pub(super) assigned: usize,
    /// Members who got some.
    pub(super) members: usize,
    /// Leads for each 100 of weight: of who got the fewest and of who got the most.
    pub(super) per_weight: (f64, f64),
    /// The most weighted turns that a candidate was ahead of another before a decision.
    pub(super) ahead: f64,
}

impl Share {
    /// Tells whether the promise was kept.
    pub(super) fn is_fair(&self) -> bool {
        self.ahead <= PROMISE + ROUNDING
    }
}

/// Returns how the leads of each team were shared.
pub(super) fn shares(chapter: &Chapter) -> BTreeMap<String, Share> {
    let mut decisions: BTreeMap<&str, Vec<&RoutingDecision>> = BTreeMap::new();
    for decision in chapter
        .explained()
        .flat_map(|(_, explanation)| assignments(explanation))
    {
        decisions.entry(&decision.team).or_default().push(decision);
    }
    decisions
        .into_iter()
        .map(|(team, decisions)| (team.to_owned(), share(chapter, &decisions)))
        .collect()
}

fn share(chapter: &Chapter, decisions: &[&RoutingDecision]) -> Share {
    let mut leads: BTreeMap<&str, u32> = BTreeMap::new();
    for decision in decisions {
        *leads.entry(&decision.chosen).or_default() += 1;
    }
    let weight = |member: &str| chapter.members.get(member).map_or(100, |member| member.weight.max(1));
    let per_weight: Vec<f64> = leads
        .iter()
        .map(|(member, &count)| f64::from(count) * 100.0 / f64::from(weight(member)))
        .collect();
    Share {
        assigned: decisions.len(),
        members: leads.len(),
        per_weight: (
            per_weight.iter().copied().fold(f64::INFINITY, f64::min),
            per_weight.iter().copied().fold(0.0, f64::max),
        ),
        ahead: decisions.iter().map(|decision| ahead(decision)).fold(0.0, f64::max),
    }
}

/// Returns how many weighted turns the one most ahead was ahead of another candidate. A standing is told in turns of its
/// own owner, who pays less for one the more they weigh: hence the ratio.
fn ahead(decision: &RoutingDecision) -> f64 {
    let mut most = 0.0_f64;
    for one in &decision.candidates {
        for other in &decision.candidates {
            let ratio = f64::from(other.weight) / f64::from(one.weight.max(1));
            most = most.max(other.deficit - one.deficit * ratio);
        }
    }
    most
}

#[cfg(test)]
mod tests {
    use reflex_proto::leads::v1::routing_decision::Candidate;

    use super::*;

    #[test]
    fn distances_are_told_in_turns_of_the_one_behind() {
        let candidate = |weight, deficit| Candidate {
            weight,
            deficit,
            ..Candidate::default()
        };
        let decision = |candidates| RoutingDecision {
            candidates,
            ..RoutingDecision::default()
        };
        assert!(ahead(&decision(vec![candidate(100, 0.0)])).abs() < ROUNDING);
        assert!((ahead(&decision(vec![candidate(100, 0.5), candidate(100, -0.5)])) - 1.0).abs() < ROUNDING);
        // Half a turn of weight 50 is a whole one of weight 100.
        assert!((ahead(&decision(vec![candidate(100, 0.0), candidate(50, -0.5)])) - 1.0).abs() < ROUNDING);
    }
}
