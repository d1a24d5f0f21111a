//! In which order changes go out: whatever is named by others first.

use std::collections::{BTreeMap, BTreeSet};

use prost_reflect::DynamicMessage;

use crate::bundle::{Kind, text};

/// A call to make: the resource at `item` of the plan, as `message` says it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step {
    pub(super) item: usize,
    pub(super) message: DynamicMessage,
}

/// Orders the resources to put; `existing` are the names of teams and members that the server has.
///
/// A team names its supervisor and a member their team, so whoever does not exist yet is left out of the first call and
/// put by a second one after all members.
pub(super) fn steps(wanted: &[(usize, Kind, &DynamicMessage)], existing: &BTreeSet<String>) -> Vec<Step> {
    let mut ordered = wanted.to_vec();
    let depths = depths(wanted);
    ordered.sort_by_key(|&(item, kind, _)| (kind, depths[&item]));
    let mut existing = existing.clone();
    let (mut first, mut second, mut after) = (Vec::new(), Vec::new(), Vec::new());
    for (item, kind, message) in ordered {
        let mut without = message.clone();
        for field in kind.late_fields() {
            let name = text(message, field);
            if !name.is_empty() && !existing.contains(&name) {
                without.clear_field_by_name(field);
            }
        }
        let incomplete = without != *message;
        existing.insert(text(message, "name"));
        let call = Step { item, message: without };
        if kind <= Kind::Member {
            first.push(call);
        } else {
            after.push(call);
        }
        if incomplete {
            let message = message.clone();
            second.push(Step { item, message });
        }
    }
    first.into_iter().chain(second).chain(after).collect()
}

/// Returns how deep each resource lies below others that are to be put: below its parent, a member below the supervisor.
fn depths(wanted: &[(usize, Kind, &DynamicMessage)]) -> BTreeMap<usize, usize> {
    let pairs = wanted.iter().map(|&(_, kind, message)| {
        let field = if kind == Kind::Member { "supervisor" } else { "parent" };
        (text(message, "name"), text(message, field))
    });
    let above: BTreeMap<String, String> = pairs.filter(|(_, above)| !above.is_empty()).collect();
    let depth = |name: String| {
        let mut name = &name;
        let mut depth = 0;
        // A cycle is the server's to refuse.
        while let Some(next) = above.get(name).filter(|_| depth < above.len()) {
            name = next;
            depth += 1;
        }
        depth
    };
    wanted
        .iter()
        .map(|&(item, _, message)| (item, depth(text(message, "name"))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::{Bundle, Variables};

    const BUNDLE: &str = "
tenant: a
---
{kind: Member, name: members/rep, team: teams/small, supervisor: members/boss, deputy: members/rep2}
---
{kind: Member, name: members/rep2, team: teams/small, supervisor: members/boss, deputy: members/rep}
---
{kind: Member, name: members/boss, team: teams/big}
---
{kind: Team, name: teams/small, parent: teams/big, supervisor: members/boss}
---
{kind: Team, name: teams/big}
---
{kind: RoutingPolicy, default_team: teams/big}
---
{kind: Territory, name: territories/city, parent: territories/province}
---
{kind: Territory, name: territories/province}
";

    fn calls(existing: &[&str]) -> Vec<String> {
        let bundle = Bundle::parse("x", BUNDLE, None, &Variables::new()).expect("good");
        let wanted: Vec<_> = bundle
            .resources
            .iter()
            .enumerate()
            .map(|(at, resource)| (at, resource.kind, &resource.message))
            .collect();
        let existing = existing.iter().map(|&name| name.to_owned()).collect();
        let named = |step: &Step| {
            let resource = &bundle.resources[step.item];
            let short = resource.label().rsplit('/').next().unwrap_or_default().to_owned();
            if step.message == resource.message {
                short
            } else {
                format!("{short} in part")
            }
        };
        steps(&wanted, &existing).iter().map(named).collect()
    }

    #[test]
    fn names_exist_before_they_are_used() {
        let expected = [
            "province",
            "city",
            "big",
            "small in part",
            "boss",
            "rep in part",
            "rep2",
            "small",
            "rep",
            "routingPolicy",
        ];
        assert_eq!(calls(&[]), expected);
    }

    #[test]
    fn one_call_is_enough_where_all_exist() {
        let existing = [
            "members/boss",
            "members/rep",
            "members/rep2",
            "teams/big",
            "teams/small",
        ];
        let expected = [
            "province",
            "city",
            "big",
            "small",
            "boss",
            "rep",
            "rep2",
            "routingPolicy",
        ];
        assert_eq!(calls(&existing), expected);
    }
}
