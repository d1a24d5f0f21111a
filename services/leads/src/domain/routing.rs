//! Which team a lead goes to: the matrix of territories and products, looked up from the most special to the most general.

use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::directory::Directory;
use super::distribution::Group;
use super::ids::{ProductId, TeamId, TerritoryId};
use super::member::parse_skills;
use super::violation::{Violation, Violations};

/// Time to claim where a policy says none.
pub const DEFAULT_CLAIM_WITHIN: Duration = Duration::from_hours(2);

/// Longest time a policy or ladder may set.
pub const LONGEST_TERM: Duration = Duration::from_hours(366 * 24);

const MAX_ENTRIES: usize = 10_000;

/// One cell of the matrix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Where the lead comes from; `None` for anywhere.
    pub territory: Option<TerritoryId>,
    /// What it asks for; `None` for anything.
    pub product: Option<ProductId>,
    /// Who gets it.
    pub team: TeamId,
    /// Skills a member must have, sorted.
    pub skills: Vec<String>,
}

impl Entry {
    /// Returns the cell as people read it: `territory × product`.
    #[must_use]
    pub fn label(&self) -> String {
        let territory = self.territory.as_ref().map_or("any", TerritoryId::id);
        let product = self.product.as_ref().map_or("any", ProductId::id);
        format!("{territory} × {product}")
    }
}

/// What a tenant says about routing; a version of it never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicySpec {
    /// The matrix.
    pub entries: Vec<Entry>,
    /// Who gets what no entry matches.
    pub default_team: Option<TeamId>,
    /// How long an owner has to claim.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::required")]
    pub claim_within: Duration,
    /// Whether that is wall time instead of working time.
    pub claim_wall_clock: bool,
    /// Whether a lead not claimed in time goes to another member.
    pub reassign_unclaimed: bool,
}

/// A policy as it was sent, not checked.
#[derive(Debug, Clone, Default)]
pub struct RawPolicy {
    /// The matrix.
    pub entries: Vec<RawEntry>,
    /// `teams/{team}` or empty.
    pub default_team: String,
    /// How long an owner has to claim; 0 means [`DEFAULT_CLAIM_WITHIN`].
    pub claim_within: Duration,
    /// Whether that is wall time.
    pub claim_wall_clock: bool,
    /// Whether an unclaimed lead goes on.
    pub reassign_unclaimed: bool,
}

/// A cell of the matrix as it was sent.
#[derive(Debug, Clone, Default)]
pub struct RawEntry {
    /// `territories/{territory}` or empty.
    pub territory: String,
    /// `products/{product}` or empty.
    pub product: String,
    /// `teams/{team}`.
    pub team: String,
    /// Skills a member must have.
    pub skills: Vec<String>,
}

impl PolicySpec {
    /// Checks a policy by itself. Fields of the violations start with `policy.`.
    ///
    /// # Errors
    /// Returns everything that is wrong with it.
    pub fn parse(raw: &RawPolicy) -> Result<Self, Vec<Violation>> {
        let mut violations = Violations::default();
        violations.number("policy.entries", raw.entries.len(), 0..=MAX_ENTRIES);
        let mut entries = Vec::with_capacity(raw.entries.len());
        let mut cells = HashMap::new();
        for (place, entry) in raw.entries.iter().enumerate() {
            let at = |field: &str| format!("policy.entries[{place}].{field}");
            let territory = violations.optional_name(&at("territory"), &entry.territory);
            let product = violations.optional_name(&at("product"), &entry.product);
            let skills = parse_skills(&mut violations, &at("skills"), &entry.skills);
            if let Some(first) = cells.insert((&entry.territory, &entry.product), place) {
                violations.add(
                    at("territory"),
                    format!("is the same cell of the matrix as entries[{first}]"),
                );
            }
            if let Some(team) = violations.name(&at("team"), &entry.team) {
                entries.push(Entry {
                    territory,
                    product,
                    team,
                    skills,
                });
            }
        }
        let default_team = violations.optional_name("policy.default_team", &raw.default_team);
        if raw.claim_within > LONGEST_TERM {
            violations.add("policy.claim_within", "must be at most 366 days");
        }
        if !violations.is_empty() {
            return Err(violations.into_vec());
        }
        let claim_within = if raw.claim_within.is_zero() {
            DEFAULT_CLAIM_WITHIN
        } else {
            raw.claim_within
        };
        Ok(Self {
            entries,
            default_team,
            claim_within,
            claim_wall_clock: raw.claim_wall_clock,
            reassign_unclaimed: raw.reassign_unclaimed,
        })
    }

    /// Returns the names of what the policy refers to and the directory does not know, in order.
    #[must_use]
    pub fn unknown_references(&self, directory: &Directory) -> Vec<String> {
        let mut unknown = Vec::new();
        for entry in &self.entries {
            let territory = entry
                .territory
                .as_ref()
                .filter(|id| directory.territories.find(id).is_none());
            let product = entry
                .product
                .as_ref()
                .filter(|id| directory.products.find(id).is_none());
            unknown.extend(territory.map(ToString::to_string));
            unknown.extend(product.map(ToString::to_string));
        }
        let teams = self.entries.iter().map(|entry| &entry.team).chain(&self.default_team);
        unknown.extend(
            teams
                .filter(|id| directory.find_team(id).is_none())
                .map(ToString::to_string),
        );
        unknown.sort_unstable();
        unknown.dedup();
        unknown
    }
}

/// A version of a policy, indexed: a look-up costs the depth of the two trees, however many entries there are.
#[derive(Debug, Clone)]
pub struct Policy {
    version: i32,
    spec: PolicySpec,
    /// Place of the entry, by territory and then by product.
    cells: HashMap<Option<TerritoryId>, HashMap<Option<ProductId>, usize>>,
    /// Group of each entry.
    groups: Vec<Group>,
    default_group: Option<Group>,
}

/// Where a policy sends a lead.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The entry that matched; `None` for the default team.
    pub entry: Option<&'a Entry>,
    /// Who shares the lead.
    pub group: &'a Group,
}

impl Target<'_> {
    /// Returns the skills a member must have.
    #[must_use]
    pub fn skills(&self) -> &[String] {
        self.entry.map_or(&[], |entry| &entry.skills)
    }
}

impl Policy {
    /// Indexes a version of a policy.
    #[must_use]
    pub fn new(version: i32, spec: PolicySpec) -> Self {
        let mut cells: HashMap<_, HashMap<_, _>> = HashMap::new();
        for (place, entry) in spec.entries.iter().enumerate() {
            cells
                .entry(entry.territory.clone())
                .or_default()
                .insert(entry.product.clone(), place);
        }
        let groups = spec
            .entries
            .iter()
            .map(|entry| Group::new(entry.team.clone(), &entry.skills))
            .collect();
        let default_group = spec.default_team.clone().map(|team| Group::new(team, &[]));
        Self {
            version,
            spec,
            cells,
            groups,
            default_group,
        }
    }

    /// Returns the version, from 1.
    #[must_use]
    pub fn version(&self) -> i32 {
        self.version
    }

    /// Returns what the tenant said.
    #[must_use]
    pub fn spec(&self) -> &PolicySpec {
        &self.spec
    }

    /// Finds where a lead goes, whose territory and product are given with all above them, the most special first.
    ///
    /// The territory decides before the product: a city's entry for any product comes before the province's entry for
    /// the very product. Entries for any territory come last, then the default team; `None` if there is not even that.
    #[must_use]
    pub fn resolve(&self, territories: &[TerritoryId], products: &[ProductId]) -> Option<Target<'_>> {
        for territory in territories.iter().map(Some).chain([None]) {
            let Some(row) = self.cells.get(&territory.cloned()) else {
                continue;
            };
            for product in products.iter().map(Some).chain([None]) {
                if let Some(&place) = row.get(&product.cloned()) {
                    return Some(Target {
                        entry: Some(&self.spec.entries[place]),
                        group: &self.groups[place],
                    });
                }
            }
        }
        self.default_group.as_ref().map(|group| Target { entry: None, group })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::directory::DirectoryRows;

    fn raw(cells: &[(&str, &str, &str)]) -> RawPolicy {
        let entry = |&(territory, product, team): &(&str, &str, &str)| RawEntry {
            territory: territory.into(),
            product: product.into(),
            team: team.into(),
            skills: Vec::new(),
        };
        RawPolicy {
            entries: cells.iter().map(entry).collect(),
            ..RawPolicy::default()
        }
    }

    fn faults(raw: &RawPolicy) -> Vec<String> {
        PolicySpec::parse(raw).map_or_else(|found| found.into_iter().map(|it| it.field).collect(), |_| Vec::new())
    }

    #[test]
    fn policies_are_checked() {
        let east = ("territories/east", "products/ortho", "teams/zhang");
        assert!(faults(&raw(&[east, ("", "", "teams/zhang")])).is_empty());
        assert_eq!(
            faults(&raw(&[east, ("", "", "teams/zhang"), east])),
            ["policy.entries[2].territory"]
        );
        assert_eq!(faults(&raw(&[("east", "ortho", "")])).len(), 3);
        assert_eq!(
            faults(&RawPolicy {
                default_team: "zhang".into(),
                ..raw(&[])
            }),
            ["policy.default_team"]
        );
        assert_eq!(
            faults(&RawPolicy {
                claim_within: LONGEST_TERM * 2,
                ..raw(&[])
            }),
            ["policy.claim_within"]
        );
        assert_eq!(
            faults(&raw(&vec![("", "", "teams/a"); MAX_ENTRIES + 1]))[0],
            "policy.entries"
        );
        assert_eq!(PolicySpec::parse(&raw(&[])).unwrap().claim_within, DEFAULT_CLAIM_WITHIN);
    }

    #[test]
    fn policies_are_kept_as_json() {
        let spec = PolicySpec::parse(&raw(&[("territories/east", "", "teams/zhang")])).unwrap();
        let json = serde_json::to_string(&spec).unwrap();
        assert!(json.contains(r#""claim_within":"PT2H""#), "{json}");
        assert_eq!(serde_json::from_str::<PolicySpec>(&json).unwrap(), spec);
    }

    #[test]
    fn unknown_references_are_named() {
        let spec = PolicySpec::parse(&raw(&[("territories/east", "products/ortho", "teams/zhang")])).unwrap();
        let unknown = spec.unknown_references(&Directory::new(DirectoryRows::default()));
        assert_eq!(unknown, ["products/ortho", "teams/zhang", "territories/east"]);
    }

    #[test]
    fn a_thousand_entries_are_found_by_depth() {
        let names: Vec<_> = (0..1000).map(|n| format!("territories/t{n}")).collect();
        let cells: Vec<_> = names
            .iter()
            .map(|name| (name.as_str(), "products/ortho", "teams/zhang"))
            .collect();
        let policy = Policy::new(1, PolicySpec::parse(&raw(&cells)).unwrap());
        let path = ["territories/unknown", "territories/t999", "territories/t0"].map(|name| name.parse().unwrap());
        let target = policy.resolve(&path, &["products/ortho".parse().unwrap()]).unwrap();
        assert_eq!(target.entry.unwrap().label(), "t999 × ortho");
        assert!(policy.resolve(&path, &[]).is_none());
    }
}
