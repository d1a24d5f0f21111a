//! What speaks against a policy: entries that no lead can reach, references that lead nowhere, teams of whom nobody takes
//! leads. What each finding says to people is in [`text`].
//!
//! What is said here is certain; an entry that passes may still never match. Only entries of one cell can shadow one
//! another: a more general cell is looked up later, and a more special one never takes all leads of its general one.

mod text;

use std::collections::HashMap;

use jiff::Timestamp;
use reflex_expr::Error;

use super::{Conditions, Entry, PolicySpec};
use crate::domain::calculated::Names;
use crate::domain::directory::Directory;
use crate::domain::ids::{MemberId, ProductId, TeamId, TerritoryId};
use crate::domain::leave::Leaves;
use crate::domain::member::Member;

/// Something that speaks against a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub problem: Problem,
    /// The first entry it is true of; `None` for the default team.
    pub place: Option<usize>,
    /// How many entries it is true of.
    pub entries: usize,
}

/// What can speak against an entry, or the default team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// The condition has a mistake.
    Mistake(Error),
    /// The condition certainly never holds.
    NeverHolds,
    /// An earlier entry of the cell certainly takes every lead.
    Shadowed {
        /// Its place.
        by: usize,
    },
    /// The territory does not exist.
    UnknownTerritory(TerritoryId),
    /// The product does not exist.
    UnknownProduct(ProductId),
    /// The team does not exist.
    UnknownTeam(TeamId),
    /// The team has members, but none who could ever take a lead.
    NobodyTakes(TeamId),
    /// Nobody of the team who could take leads has all the skills.
    NobodySkilled {
        /// The team.
        team: TeamId,
        /// The skills that nobody has at all, else all that are wanted together.
        skills: Vec<String>,
        /// Whether each of them is there, but not in one person.
        apart: bool,
    },
    /// The team has no members yet.
    NoMembers(TeamId),
    /// Nobody of the team can take another lead now.
    EveryoneAtCapacity {
        /// The team.
        team: TeamId,
        /// How many hold all they can.
        full: usize,
        /// How many are on leave.
        away: usize,
    },
}

impl Problem {
    /// Tells whether it keeps a policy from becoming active. A team without members does not, as they may come after the
    /// policy, nor does what passes by itself.
    #[must_use]
    pub fn refuses(&self) -> bool {
        !matches!(self, Self::NoMembers(_) | Self::EveryoneAtCapacity { .. })
    }

    /// Tells whether it is in the policy itself, whatever the tenant has set up.
    #[must_use]
    pub fn is_flaw(&self) -> bool {
        matches!(self, Self::Mistake(_) | Self::NeverHolds | Self::Shadowed { .. })
    }
}

/// What a policy is checked against: the tenant's people at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// Members, teams, territories, products.
    pub directory: &'a Directory,
    /// Who is away when.
    pub leaves: &'a Leaves,
    /// Leads each member holds; who holds none may be absent.
    pub open_leads: &'a HashMap<MemberId, u32>,
    /// The moment.
    pub now: Timestamp,
}

impl PolicySpec {
    /// Returns what is wrong with the policy itself, whose conditions may read these names: mistaken conditions, entries that never get a lead.
    #[must_use]
    pub fn flaws(&self, names: &Names) -> Vec<Finding> {
        let sources = self.entries.iter().map(|entry| entry.when.as_deref());
        let conditions = Conditions::compile(sources, names);
        let mut cells: HashMap<_, Vec<usize>> = HashMap::new();
        let mut findings = Vec::new();
        for (place, entry) in self.entries.iter().enumerate() {
            let earlier = cells.entry((&entry.territory, &entry.product)).or_default();
            let error = conditions.as_ref().and_then(|conditions| conditions.error(place));
            let is_never = || conditions.as_ref().is_some_and(|conditions| conditions.is_never(place));
            // Without any conditions, each entry takes all leads of its cell.
            let covers = |first: &usize| conditions.as_ref().is_none_or(|it| it.covers(*first, place));
            let problem = if let Some(error) = error {
                Problem::Mistake(error.clone())
            } else if is_never() {
                Problem::NeverHolds
            } else if let Some(by) = earlier.iter().copied().find(covers) {
                Problem::Shadowed { by }
            } else {
                earlier.push(place);
                continue;
            };
            findings.push(Finding {
                problem,
                place: Some(place),
                entries: 1,
            });
        }
        findings
    }

    /// Returns what the surroundings make wrong with the policy; what is true of several entries is told once.
    #[must_use]
    pub fn misfits(&self, around: &Surroundings<'_>) -> Vec<Finding> {
        self.look_around(around.directory, |team, skills| around.problem_of(team, skills))
    }

    /// Returns the references of the policy that lead nowhere.
    #[must_use]
    pub fn strays(&self, directory: &Directory) -> Vec<Finding> {
        let unknown = |team: &TeamId| directory.find_team(team).is_none();
        self.look_around(directory, |team, _| {
            unknown(team).then(|| Problem::UnknownTeam(team.clone()))
        })
    }

    fn look_around(
        &self,
        directory: &Directory,
        problem_of: impl Fn(&TeamId, &[String]) -> Option<Problem>,
    ) -> Vec<Finding> {
        let mut told = Told::default();
        let mut territories: HashMap<&TerritoryId, Option<usize>> = HashMap::new();
        let mut products: HashMap<&ProductId, Option<usize>> = HashMap::new();
        let mut teams: HashMap<(&TeamId, &[String]), Option<usize>> = HashMap::new();
        for (place, entry) in self.entries.iter().enumerate() {
            let place = Some(place);
            if let Some(id) = &entry.territory {
                let unknown = || directory.territories.find(id).is_none();
                let problem = || unknown().then(|| Problem::UnknownTerritory(id.clone()));
                let at = *territories.entry(id).or_insert_with(|| told.push(place, problem()));
                told.count(at);
            }
            if let Some(id) = &entry.product {
                let unknown = || directory.products.find(id).is_none();
                let problem = || unknown().then(|| Problem::UnknownProduct(id.clone()));
                let at = *products.entry(id).or_insert_with(|| told.push(place, problem()));
                told.count(at);
            }
            let asked = (&entry.team, entry.skills.as_slice());
            let problem = || problem_of(asked.0, asked.1);
            let at = *teams.entry(asked).or_insert_with(|| told.push(place, problem()));
            told.count(at);
        }
        if let Some(team) = &self.default_team {
            told.push(None, problem_of(team, &[]));
        }
        told.0
    }

    /// Returns everything that speaks against the policy: refusals first, each kind in the order of the entries.
    #[must_use]
    pub fn findings(&self, flaws: Vec<Finding>, around: &Surroundings<'_>) -> Vec<Finding> {
        let mut findings = flaws;
        findings.extend(self.misfits(around));
        findings.sort_by_key(|finding| (!finding.problem.refuses(), finding.place.unwrap_or(usize::MAX)));
        findings
    }

    fn entry_of(&self, finding: &Finding) -> Option<&Entry> {
        self.entries.get(finding.place?)
    }
}

impl Surroundings<'_> {
    /// Tells what keeps a team from taking leads that ask for these skills; the lasting before the passing.
    fn problem_of(&self, team: &TeamId, skills: &[String]) -> Option<Problem> {
        if self.directory.find_team(team).is_none() {
            return Some(Problem::UnknownTeam(team.clone()));
        }
        if self.directory.members_of(team).next().is_none() {
            return Some(Problem::NoMembers(team.clone()));
        }
        let takers: Vec<&Member> = self
            .directory
            .members_of(team)
            .filter(|member| member.could_take_leads())
            .collect();
        if takers.is_empty() {
            return Some(Problem::NobodyTakes(team.clone()));
        }
        let has = |member: &&Member, skill: &String| member.skills.contains(skill);
        let skilled: Vec<&Member> = takers
            .iter()
            .copied()
            .filter(|member| skills.iter().all(|skill| has(member, skill)))
            .collect();
        if skilled.is_empty() {
            let lacking = skills.iter().filter(|skill| !takers.iter().any(|it| has(it, skill)));
            let lacking: Vec<String> = lacking.cloned().collect();
            let apart = lacking.is_empty();
            return Some(Problem::NobodySkilled {
                team: team.clone(),
                skills: if apart { skills.to_vec() } else { lacking },
                apart,
            });
        }
        let is_away = |member: &&&Member| self.leaves.away_until(&member.id, self.now).is_some();
        let away = skilled.iter().filter(is_away).count();
        let is_full = |member: &&&Member| {
            let open = self.open_leads.get(&member.id).copied().unwrap_or_default();
            open >= member.capacity
        };
        let full = skilled.iter().filter(|it| !is_away(it)).filter(is_full).count();
        (away + full == skilled.len()).then(|| Problem::EveryoneAtCapacity {
            team: team.clone(),
            full,
            away,
        })
    }
}

/// Findings that know of how many entries they are true.
#[derive(Default)]
struct Told(Vec<Finding>);

impl Told {
    /// Adds a problem if there is one, and returns where it stands.
    fn push(&mut self, place: Option<usize>, problem: Option<Problem>) -> Option<usize> {
        self.0.push(Finding {
            problem: problem?,
            place,
            entries: 0,
        });
        Some(self.0.len() - 1)
    }

    fn count(&mut self, at: Option<usize>) {
        if let Some(at) = at {
            self.0[at].entries += 1;
        }
    }
}

#[cfg(test)]
mod tests;
