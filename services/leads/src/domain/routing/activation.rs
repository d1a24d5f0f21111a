//! What makes a policy useless though every part of it is sound: entries no lead can reach, teams nobody of whom takes leads.
//!
//! What is said here is certain; an entry that passes may still never match. Only entries of one cell can shadow one
//! another: a more general cell is looked up later, and a more special one never takes all leads of its general one.

use std::collections::HashMap;

use super::{Conditions, PolicySpec, RawPolicy, number};
use crate::domain::directory::Directory;
use crate::domain::ids::TeamId;
use crate::domain::violation::Violations;

/// Finds entries that never match: their conditions contradict themselves, or an earlier entry of the cell takes all.
pub(super) fn check_reach(violations: &mut Violations, raw: &RawPolicy, conditions: &Conditions) {
    let mut cells: HashMap<(&str, &str), Vec<usize>> = HashMap::new();
    for (place, entry) in raw.entries.iter().enumerate() {
        let earlier = cells.entry((&entry.territory, &entry.product)).or_default();
        let field = format!("policy.entries[{place}].when");
        if conditions.is_never(place) {
            violations.add(field, NEVER);
            continue;
        }
        match earlier.iter().copied().find(|first| conditions.covers(*first, place)) {
            // Two entries without conditions in one cell are told of as such.
            Some(first) if entry.condition().is_some() || raw.entries[first].condition().is_some() => {
                violations.add(field, shadowed(first, raw.entries[first].condition()));
            }
            Some(_) => {}
            None => earlier.push(place),
        }
    }
}

const NEVER: &str = "条件自相矛盾，永远不会成立，这一条分不到任何线索；请修改条件 / \
    contradicts itself, so that the entry would never get a lead; change the condition";

fn shadowed(first: usize, condition: Option<&str>) -> String {
    let first = number(first);
    match condition {
        None => format!(
            "地域和产品相同的第 {first} 条没有条件，总是先匹配，这一条分不到任何线索；请把这一条移到第 {first} 条之前 / \
             entry {first} of the same territory and product has no condition and always matches first, so that this one would \
             never get a lead; move it before entry {first}"
        ),
        Some(_) => format!(
            "凡是符合这一条的线索，都已先被地域和产品相同的第 {first} 条分走；请把这一条移到第 {first} 条之前，或修改条件 / \
             every lead that fits would go to entry {first} of the same territory and product first; move this one before \
             entry {first}, or change the condition"
        ),
    }
}

impl PolicySpec {
    /// Returns the teams of the policy that have members, but none who could ever take a lead; in order.
    ///
    /// A team without any members passes: they may come after the policy.
    #[must_use]
    pub fn teams_without_takers(&self, directory: &Directory) -> Vec<&TeamId> {
        let takes_none = |team: &&TeamId| {
            let mut members = directory.members_of(team).peekable();
            members.peek().is_some() && members.all(|member| !member.could_take_leads())
        };
        let teams = self.entries.iter().map(|entry| &entry.team).chain(&self.default_team);
        let mut found: Vec<_> = teams.filter(takes_none).collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// Says that nobody of these teams takes leads, in Chinese and in English.
#[must_use]
pub fn nobody_takes(teams: &[&TeamId], directory: &Directory) -> String {
    let name = |team: &TeamId| directory.find_team(team).map_or("", |team| team.display_name.as_str());
    let zh: Vec<_> = teams.iter().map(|team| format!("{}（{team}）", name(team))).collect();
    let en: Vec<_> = teams.iter().map(ToString::to_string).collect();
    format!(
        "{}里没有人能接线索：成员都已离岗、岗位不接线索或在手上限为 0；请先让至少一人能接 / nobody of {} can take a lead: all are \
         inactive, have a role that takes none or a capacity of 0; let somebody take leads first",
        zh.join("、"),
        en.join(", ")
    )
}
