//! Whose turn it is: fair, weighted distribution inside a group.
//!
//! A *group* is a team together with the skills an entry of the matrix demands; its members share the leads that are
//! routed to it. A turn costs a member [`TURN`] divided by their weight of *virtual time*, so who weighs twice as much pays
//! half. The group's *clock* shows the virtual time of whoever was served last. For a member with weight `w` whose last
//! turn ended at `v`, the next one ends at
//!
//! ```text
//! finish = max(v + TURN / w, clock)
//! ```
//!
//! and the eligible member with the smallest finish gets the lead; among equals who was served the longest ago, then the
//! smaller id. The member's `v` and the clock become that finish.
//!
//! # What is promised
//!
//! Let `position = finish - TURN / w`. A member is *k weighted turns ahead* of another when the other needs `k` turns of
//! their own to reach the same position. Then **no eligible member is ever more than one weighted turn ahead of another
//! eligible one**: no position is beyond the clock, since `v` never is, and no finish is before it.
//!
//! For the numbers of leads this means: while two members stay eligible with weights `w` and `u`, their leads `n` and `m`
//! of any span satisfy `|n/w - m/u| <= 1/w + 1/u`, and `n/w - m/u <= 1/u` from a common start; whatever the others do.
//!
//! - Nobody comes back with a burst: `max` caps what a member has missed while away, full, excluded or not yet there at
//!   the one turn that is next. Leads missed are not owed.
//! - Nobody is punished: who comes back is next in line, at the latest after the others who are next in line too.
//! - A new weight prices the turns to come; turns taken keep their price.
//!
//! All of this is integers. A turn of a weight that does not divide [`TURN`] is cheaper by a rounding of less than one
//! part in ten million.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::ids::{MemberId, TeamId};

/// Virtual time of a turn of weight 1; a multiple of 1 to 16 and of all round weights up to 1000.
///
/// A group's clock overflows after 500 million turns of weight 1, or 50 billion of weight 100.
pub const TURN: i64 = 720_720 * 25_000;

/// Members who share leads: those of a team who have all the skills.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Group {
    /// The team.
    pub team: TeamId,
    /// The skills, sorted and joined by commas; empty for the whole team.
    pub skills: String,
}

impl Group {
    /// Makes the group of a team's members who have all of `skills`, which are sorted.
    #[must_use]
    pub fn new(team: TeamId, skills: &[String]) -> Self {
        Self {
            team,
            skills: skills.join(","),
        }
    }
}

/// A member's last turn in a group, as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Virtual time at which it ended.
    pub finish: i64,
    /// Its number, counted from 1 within the group.
    pub number: i64,
}

impl Turn {
    /// Returns what is left of a member's last turn once turns that cost so much were never taken; `before` is theirs before
    /// the first of those, and none is left where that is all.
    ///
    /// Whoever keeps turns taken since has paid for those alone. Their numbers stay, as only their order matters.
    #[must_use]
    pub fn refunded(self, cost: i64, before: Option<Self>) -> Option<Self> {
        let floor = before.map_or(0, |before| before.finish);
        match self.finish - cost {
            finish if finish <= floor => before,
            finish => Some(Self { finish, ..self }),
        }
    }
}

/// The turns of a group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Turns {
    last: HashMap<MemberId, Turn>,
    clock: i64,
    count: i64,
}

/// Where an eligible member stands before a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Virtual time at which their next turn would end.
    pub finish: i64,
    /// Virtual time their next turn costs.
    pub cost: i64,
    /// Number of their last turn, 0 before the first.
    pub last_turn: i64,
}

impl Place {
    /// Returns where they stand on the virtual clock, what they have missed left out.
    #[must_use]
    pub fn position(&self) -> i64 {
        self.finish - self.cost
    }
}

impl Turns {
    /// Takes the stored turns of one group.
    #[must_use]
    pub fn new(rows: impl IntoIterator<Item = (MemberId, Turn)>) -> Self {
        let last: HashMap<_, _> = rows.into_iter().collect();
        let clock = last.values().map(|turn| turn.finish).max().unwrap_or(0);
        let count = last.values().map(|turn| turn.number).max().unwrap_or(0);
        Self { last, clock, count }
    }

    /// Returns where a member of a weight stands.
    #[must_use]
    pub fn place(&self, member: &MemberId, weight: u32) -> Place {
        let cost = TURN / i64::from(weight.max(1));
        match self.last.get(member) {
            Some(turn) => Place {
                finish: self.clock.max(turn.finish + cost),
                cost,
                last_turn: turn.number,
            },
            None => Place {
                finish: self.clock.max(cost),
                cost,
                last_turn: 0,
            },
        }
    }

    /// Returns the turn a member took last.
    #[must_use]
    pub fn last_of(&self, member: &MemberId) -> Option<Turn> {
        self.last.get(member).copied()
    }

    /// Gives a member their next turn and returns it, to be stored.
    pub fn take(&mut self, member: &MemberId, weight: u32) -> Turn {
        let turn = self.next_turn(member, weight);
        self.record(member, turn);
        turn
    }

    /// Returns the turn a member would take now.
    #[must_use]
    pub fn next_turn(&self, member: &MemberId, weight: u32) -> Turn {
        Turn {
            finish: self.place(member, weight).finish,
            number: self.count + 1,
        }
    }

    /// Notes a turn that was taken.
    pub fn record(&mut self, member: &MemberId, turn: Turn) {
        self.last.insert(member.clone(), turn);
        self.clock = self.clock.max(turn.finish);
        self.count = self.count.max(turn.number);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::ids::ResourceId;

    /// Somebody of the group under test, with what the promise is measured by.
    struct Person {
        id: MemberId,
        weight: u32,
        eligible: bool,
    }

    #[derive(Debug, Clone)]
    enum Step {
        /// A lead arrives, which one of the members, if any, may not get.
        Lead { barred: Option<usize> },
        /// Leave, capacity or skill: somebody can take leads, or can no longer.
        Toggle(usize),
        /// Somebody is given another weight.
        Weigh(usize, u32),
        /// Somebody joins the group.
        Join(u32),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let weight = prop_oneof![Just(100), 1_u32..=1000, 1_u32..=5];
        let step = prop_oneof![
            12 => proptest::option::weighted(0.1, 0_usize..8).prop_map(|barred| Step::Lead { barred }),
            2 => (0_usize..8).prop_map(Step::Toggle),
            1 => (0_usize..8, weight.clone()).prop_map(|(who, weight)| Step::Weigh(who, weight)),
            1 => weight.prop_map(Step::Join),
        ];
        proptest::collection::vec(step, 1..400)
    }

    fn cost(weight: u32) -> i64 {
        TURN / i64::from(weight)
    }

    /// How far apart two members' leads have been, priced by weight, since both were eligible with their present weights.
    #[derive(Clone, Copy, Default)]
    struct Span {
        balance: i64,
        lowest: i64,
        highest: i64,
    }

    fn check_places(turns: &Turns, people: &[&Person]) -> Result<(), TestCaseError> {
        for one in people {
            for other in people {
                let ahead =
                    turns.place(&one.id, one.weight).position() - turns.place(&other.id, other.weight).position();
                prop_assert!(
                    ahead <= cost(other.weight),
                    "{} is {ahead} ahead of {}",
                    one.id,
                    other.id
                );
            }
        }
        Ok(())
    }

    #[test]
    fn turns_that_were_never_taken_cost_nothing() {
        let ids = ["a", "b", "c"].map(|id| MemberId::from_id(id).unwrap());
        let give = |turns: &mut Turns| {
            let next = ids.iter().min_by_key(|id| {
                let place = turns.place(id, 100);
                (place.finish, place.last_turn)
            });
            let next = next.unwrap().clone();
            turns.take(&next, 100);
            next
        };
        for kept_after in [0, 1, 7] {
            let mut turns = Turns::default();
            for _ in 0..5 {
                give(&mut turns);
            }
            let before = turns.clone();
            let taken: Vec<MemberId> = (0..50).map(|_| give(&mut turns)).collect();
            let kept: Vec<MemberId> = (0..kept_after).map(|_| give(&mut turns)).collect();
            for id in &ids {
                let count = |of: &[MemberId]| i64::try_from(of.iter().filter(|it| *it == id).count()).unwrap();
                let left = turns
                    .last_of(id)
                    .unwrap()
                    .refunded(count(&taken) * cost(100), before.last_of(id));
                let finish = before.last_of(id).unwrap().finish + count(&kept) * cost(100);
                assert_eq!(left.unwrap().finish, finish);
                if count(&kept) == 0 {
                    assert_eq!(left, before.last_of(id));
                }
            }
        }
        let only = Turn {
            finish: cost(100),
            number: 1,
        };
        assert_eq!(only.refunded(cost(100), None), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

        #[test]
        fn nobody_is_more_than_one_weighted_turn_ahead(steps in steps()) {
            let mut turns = Turns::default();
            let mut people: Vec<Person> = Vec::new();
            let mut spans: HashMap<(usize, usize), Span> = HashMap::new();
            for step in std::iter::repeat_n(Step::Join(100), 3).chain(steps) {
                match step {
                    Step::Join(weight) if people.len() < 8 => {
                        let id = MemberId::from_id(&format!("m{}", people.len())).unwrap();
                        people.push(Person { id, weight, eligible: true });
                    }
                    Step::Join(_) => {}
                    Step::Toggle(who) | Step::Weigh(who, _) if who >= people.len() => {}
                    Step::Toggle(who) => {
                        people[who].eligible ^= true;
                        spans.retain(|pair, _| pair.0 != who && pair.1 != who);
                    }
                    Step::Weigh(who, weight) => {
                        people[who].weight = weight;
                        spans.retain(|pair, _| pair.0 != who && pair.1 != who);
                    }
                    Step::Lead { barred } => {
                        if let Some(barred) = barred {
                            spans.retain(|pair, _| pair.0 != barred && pair.1 != barred);
                        }
                        let able: Vec<usize> =
                            (0..people.len()).filter(|&who| people[who].eligible && Some(who) != barred).collect();
                        let eligible: Vec<&Person> = able.iter().map(|&who| &people[who]).collect();
                        check_places(&turns, &eligible)?;
                        let place = |who: &usize| {
                            let place = turns.place(&people[*who].id, people[*who].weight);
                            (place.finish, place.last_turn, *who)
                        };
                        let Some(chosen) = able.iter().copied().min_by_key(place) else { continue };
                        turns.take(&people[chosen].id, people[chosen].weight);
                        check_places(&turns, &eligible)?;
                        for &one in &able {
                            for &other in &able {
                                let (mine, theirs) = (cost(people[one].weight), cost(people[other].weight));
                                let span = spans.entry((one, other)).or_default();
                                span.balance += i64::from(chosen == one) * mine - i64::from(chosen == other) * theirs;
                                span.lowest = span.lowest.min(span.balance);
                                span.highest = span.highest.max(span.balance);
                                prop_assert!(one == other || span.highest - span.lowest <= mine + theirs);
                            }
                        }
                    }
                }
            }
        }

        #[test]
        fn from_a_common_start_the_bound_is_one_turn(weights in proptest::collection::vec(1_u32..=1000, 2..9), leads in 1_usize..300) {
            let ids: Vec<_> = (0..weights.len()).map(|n| MemberId::from_id(&format!("m{n}")).unwrap()).collect();
            let mut turns = Turns::default();
            let mut taken = vec![0_i64; weights.len()];
            for _ in 0..leads {
                let place = |who: &usize| {
                    let place = turns.place(&ids[*who], weights[*who]);
                    (place.finish, place.last_turn, *who)
                };
                let chosen = (0..weights.len()).min_by_key(place).unwrap();
                turns.take(&ids[chosen], weights[chosen]);
                taken[chosen] += 1;
                for one in 0..weights.len() {
                    for other in 0..weights.len() {
                        let ahead = taken[one] * cost(weights[one]) - taken[other] * cost(weights[other]);
                        prop_assert!(ahead <= cost(weights[other]));
                    }
                }
            }
        }
    }

    fn serve(turns: &mut Turns, eligible: &[(&str, u32)]) -> String {
        let ids: Vec<_> = eligible
            .iter()
            .map(|(id, weight)| (MemberId::from_id(id).unwrap(), *weight))
            .collect();
        let place = |(id, weight): &&(MemberId, u32)| {
            let place = turns.place(id, *weight);
            (place.finish, place.last_turn, id.clone())
        };
        let (id, weight) = ids.iter().min_by_key(place).unwrap();
        turns.take(id, *weight);
        id.id().to_owned()
    }

    #[test]
    fn turns_follow_weights() {
        let mut turns = Turns::default();
        let team = [("a", 200), ("b", 100), ("c", 100)];
        let served: String = (0..8).map(|_| serve(&mut turns, &team)).collect();
        assert_eq!(served, "abcaabca");
    }

    #[test]
    fn who_comes_back_is_next_but_gets_no_burst() {
        let mut turns = Turns::default();
        for _ in 0..30 {
            serve(&mut turns, &[("a", 100), ("b", 100)]);
        }
        let all = [("a", 100), ("b", 100), ("c", 100)];
        let served: String = (0..7).map(|_| serve(&mut turns, &all)).collect();
        assert_eq!(served, "cabcabc");
    }

    #[test]
    fn stored_turns_are_all_there_is_to_know() {
        let mut turns = Turns::default();
        for _ in 0..17 {
            serve(&mut turns, &[("a", 300), ("b", 70), ("c", 100)]);
        }
        assert_eq!(Turns::new(turns.last.clone()), turns);
    }

    #[test]
    fn a_rounded_turn_costs_almost_what_it_should() {
        for weight in 1..=1000_i64 {
            let lost = TURN - (TURN / weight) * weight;
            assert!(lost * 10_000_000 < TURN, "weight {weight} loses {lost} of {TURN}");
        }
        for round in [
            1, 2, 5, 10, 16, 20, 25, 50, 75, 100, 150, 200, 250, 300, 400, 500, 750, 1000,
        ] {
            assert_eq!(TURN % round, 0, "{round}");
        }
    }
}
