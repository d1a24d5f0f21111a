//! What holds for every tenant, whatever happens to it while leads come in.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Lead {
        territory: &'static str,
        product: &'static str,
        account: usize,
        previous: Option<usize>,
    },
    LeadClosed(usize),
    Away(usize),
    Back(usize),
    Capacity(usize, u32),
    Weight(usize, u32),
    Active(usize, bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let who = 0_usize..9;
    let territory = prop_oneof![Just("上海"), Just("苏州市"), Just("华北"), Just("")];
    let product = prop_oneof![Just("骨科耗材"), Just("康复设备"), Just("接骨螺钉")];
    let previous = proptest::option::weighted(0.1, who.clone());
    let step = prop_oneof![
        12 => (territory, product, 0_usize..12, previous).prop_map(|(territory, product, account, previous)| {
            Step::Lead { territory, product, account, previous }
        }),
        3 => who.clone().prop_map(Step::LeadClosed),
        1 => who.clone().prop_map(Step::Away),
        1 => who.clone().prop_map(Step::Back),
        1 => (who.clone(), 0_u32..6).prop_map(|(who, capacity)| Step::Capacity(who, capacity)),
        1 => (who.clone(), 1_u32..=1000).prop_map(|(who, weight)| Step::Weight(who, weight)),
        1 => (who, any::<bool>()).prop_map(|(who, active)| Step::Active(who, active)),
    ];
    proptest::collection::vec(step, 1..150)
}

/// A tenant whose directory changes while leads come in.
struct Tenant {
    members: Vec<Member>,
    away: Vec<bool>,
    snapshot: Snapshot,
}

impl Tenant {
    fn new() -> Self {
        let teams = [
            "zhang",
            "zhang",
            "zhang",
            "zhang",
            "li",
            "li",
            "li",
            "suzhou",
            "head-office",
        ];
        let mut members: Vec<_> = teams
            .iter()
            .enumerate()
            .map(|(n, team)| member(&format!("m{n}"), team))
            .collect();
        members[4].skills = vec!["康复".into()];
        members[5].skills = vec!["康复".into()];
        Self {
            away: vec![false; members.len()],
            snapshot: snapshot(members.clone()),
            members,
        }
    }

    /// Carries a step out; returns the lead to be routed, if it is one.
    fn change(&mut self, step: &Step) -> Option<LeadFacts> {
        match *step {
            Step::Lead {
                territory,
                product,
                account,
                previous,
            } => {
                let account = if account < 3 {
                    format!("account {account}")
                } else {
                    String::new()
                };
                let previous_owner = previous.map(|who| self.members[who].id.clone());
                return Some(LeadFacts {
                    account,
                    previous_owner,
                    ..lead(territory, product)
                });
            }
            Step::LeadClosed(who) => {
                let open = self
                    .snapshot
                    .open_leads
                    .entry(self.members[who].id.clone())
                    .or_default();
                *open = open.saturating_sub(1);
                return None;
            }
            Step::Away(who) => self.away[who] = true,
            Step::Back(who) => self.away[who] = false,
            Step::Capacity(who, capacity) => self.members[who].capacity = capacity,
            Step::Weight(who, weight) => self.members[who].weight = weight,
            Step::Active(who, active) => self.members[who].active = active,
        }
        let leaves = self
            .members
            .iter()
            .zip(&self.away)
            .filter(|(_, away)| **away)
            .map(|(member, _)| Leave {
                id: LeaveId(uuid::Uuid::nil()),
                member: member.id.clone(),
                start: NOW,
                end: NOW + Duration::from_mins(1),
                reason: String::new(),
            });
        self.snapshot.leaves = Arc::new(Leaves::new(leaves.collect::<Vec<_>>()));
        self.snapshot.directory = snapshot(self.members.clone()).directory;
        None
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 80, ..ProptestConfig::default() })]

    #[test]
    fn a_batch_decides_as_its_leads_one_by_one(steps in steps(), cut in 1_usize..20) {
        let (mut single, mut batched) = (Tenant::new(), Tenant::new());
        let (mut one_by_one, mut in_batches) = (Vec::new(), Vec::new());
        let mut waiting = Vec::new();
        for step in &steps {
            if let Some(lead) = single.change(step) {
                let decision = route(&lead, &single.snapshot, NOW);
                single.snapshot.apply(&lead, &decision);
                one_by_one.push(decision);
                waiting.push(lead);
            }
            // A batch sees one state of the directory, so it ends where that changes.
            if waiting.len() >= cut || !matches!(step, Step::Lead { .. }) {
                in_batches.extend(route_batch(&waiting, &mut batched.snapshot, NOW));
                waiting.clear();
                batched.change(step);
            }
        }
        in_batches.extend(route_batch(&waiting, &mut batched.snapshot, NOW));
        prop_assert_eq!(one_by_one, in_batches);
        prop_assert_eq!(single.snapshot.open_leads, batched.snapshot.open_leads);
        prop_assert_eq!(single.snapshot.turns, batched.snapshot.turns);
    }

    #[test]
    fn every_decision_is_lawful_and_fair(steps in steps()) {
        let mut tenant = Tenant::new();
        for step in &steps {
            let Some(lead) = tenant.change(step) else { continue };
            let decision = route(&lead, &tenant.snapshot, NOW);
            let trace = &decision.trace;
            for candidate in &trace.candidates {
                let who = tenant.members.iter().position(|member| member.id == candidate.member).unwrap();
                let member = &tenant.members[who];
                prop_assert!(member.active && !tenant.away[who] && candidate.open_leads < member.capacity);
                prop_assert!(lead.previous_owner.as_ref() != Some(&member.id));
                prop_assert!(trace.exclusions.iter().all(|exclusion| exclusion.member != member.id));
            }
            match (&decision.outcome, &decision.turn) {
                (Outcome::Assigned { owner, chosen_by: ChosenBy::AccountOwner, .. }, None) => {
                    prop_assert_eq!(tenant.snapshot.account_owners.get(&lead.account), Some(owner));
                }
                (Outcome::Assigned { owner, team, .. }, Some(taken)) => {
                    prop_assert_eq!(owner, &trace.candidates[0].member);
                    prop_assert_eq!(team, &taken.group.team);
                    let turns = tenant.snapshot.turns.get(&taken.group).cloned().unwrap_or_default();
                    let places = trace.candidates.iter().map(|it| turns.place(&it.member, it.weight));
                    let places: Vec<_> = places.collect();
                    for one in &places {
                        prop_assert!(places[0].finish <= one.finish);
                        for other in &places {
                            prop_assert!(one.position() - other.position() <= other.cost, "one weighted turn at most");
                        }
                    }
                }
                (Outcome::Queued { team: Some(team), .. }, None) => {
                    prop_assert!(trace.candidates.is_empty());
                    let all = tenant.members.iter().filter(|member| member.team == *team);
                    for member in all {
                        prop_assert!(trace.exclusions.iter().any(|exclusion| exclusion.member == member.id));
                    }
                }
                unexpected => prop_assert!(false, "{unexpected:?}"),
            }
            tenant.snapshot.apply(&lead, &decision);
        }
    }
}
