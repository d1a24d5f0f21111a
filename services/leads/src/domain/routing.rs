//! Which team a lead goes to: the matrix of territories and products, looked up from the most special to the most general,
//! and the conditions of its entries.

mod activation;
mod conditions;
mod table;

pub use activation::{Finding, Problem, Surroundings};
pub use conditions::{Conditions, Inquiry};
pub(super) use conditions::{MAX_CHARACTERS as MAX_CONDITION_CHARACTERS, fault, shortened};
pub use table::{Table, write_table};

use std::collections::HashMap;
use std::time::Duration;

use reflex_expr::Lang;
use serde::{Deserialize, Serialize};

use super::calculated::Names;
use super::distribution::Group;
use super::ids::{ProductId, TeamId, TerritoryId};
use super::member::parse_skills;
use super::violation::{Violation, Violations};

/// Time to claim where a policy says none.
pub const DEFAULT_CLAIM_WITHIN: Duration = Duration::from_hours(2);

/// Longest time a policy or ladder may set.
pub const LONGEST_TERM: Duration = Duration::from_hours(366 * 24);

const MAX_ENTRIES: usize = 10_000;
/// A lead may have to try all of them, in each cell on its way up.
const MAX_CONDITIONS_PER_CELL: usize = 50;
/// Each is compared with those of its cell when a policy is checked.
const MAX_CONDITIONS: usize = 1000;

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
    /// What must hold for the lead, too, as it was written; `None` for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
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
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RawEntry {
    /// `territories/{territory}` or empty.
    pub territory: String,
    /// `products/{product}` or empty.
    pub product: String,
    /// `teams/{team}`.
    pub team: String,
    /// Skills a member must have.
    pub skills: Vec<String>,
    /// What must hold for the lead, too, or empty.
    pub when: String,
}

/// Returns the number people give the entry at a place.
pub(super) fn number(place: usize) -> u32 {
    u32::try_from(place + 1).unwrap_or(u32::MAX)
}

impl RawEntry {
    fn condition(&self) -> Option<&str> {
        Some(self.when.trim()).filter(|when| !when.is_empty())
    }
}

impl PolicySpec {
    /// Checks the shape of a policy, whose conditions may read these names. Whether it can be worked by is told by [`PolicySpec::flaws`], which finds mistakes in
    /// conditions, and [`PolicySpec::misfits`]. Fields of the violations start with `policy.`.
    ///
    /// # Errors
    /// Returns everything that is malformed or too much.
    pub fn parse(raw: &RawPolicy, names: &Names) -> Result<Self, Vec<Violation>> {
        let mut violations = Violations::default();
        violations.number("policy.entries", raw.entries.len(), 0..=MAX_ENTRIES);
        let mut entries = Vec::with_capacity(raw.entries.len());
        for (place, entry) in raw.entries.iter().enumerate() {
            let at = |field: &str| format!("policy.entries[{place}].{field}");
            let territory = violations.optional_name(&at("territory"), &entry.territory);
            let product = violations.optional_name(&at("product"), &entry.product);
            let skills = parse_skills(&mut violations, &at("skills"), &entry.skills);
            let when = violations.text(&at("when"), &entry.when, 0..=conditions::MAX_CHARACTERS);
            if let Some(team) = violations.name(&at("team"), &entry.team) {
                entries.push(Entry {
                    territory,
                    product,
                    team,
                    skills,
                    when: Some(when).filter(|when| !when.is_empty()),
                });
            }
        }
        count_conditions(&mut violations, raw);
        let default_team = violations.optional_name("policy.default_team", &raw.default_team);
        if raw.claim_within > LONGEST_TERM {
            violations.add("policy.claim_within", "must be at most 366 days");
        }
        if !violations.is_empty() {
            // Whoever has to come back anyway learns of mistaken conditions, too.
            add_mistakes(&mut violations, raw, names);
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

    /// Lists the conditions with the numbers of their entries.
    pub fn conditions(&self) -> impl Iterator<Item = (u32, &str)> {
        let entries = self.entries.iter().enumerate();
        entries.filter_map(|(place, entry)| Some((number(place), entry.when.as_deref()?)))
    }
}

fn count_conditions(violations: &mut Violations, raw: &RawPolicy) {
    let mut cells: HashMap<_, usize> = HashMap::new();
    for (place, entry) in raw.entries.iter().enumerate() {
        if entry.condition().is_none() {
            continue;
        }
        let in_cell = cells.entry((&entry.territory, &entry.product)).or_default();
        *in_cell += 1;
        if *in_cell > MAX_CONDITIONS_PER_CELL {
            let field = format!("policy.entries[{place}].territory");
            let most = MAX_CONDITIONS_PER_CELL;
            violations.add(
                field,
                format!("must be one of at most {most} with a condition in the same cell"),
            );
        }
    }
    let count: usize = cells.values().sum();
    if count > MAX_CONDITIONS {
        violations.add(
            "policy.entries",
            format!("must have at most {MAX_CONDITIONS} conditions, has {count}"),
        );
    }
}

fn add_mistakes(violations: &mut Violations, raw: &RawPolicy, names: &Names) {
    let sources = raw.entries.iter().map(RawEntry::condition);
    if sources.clone().flatten().count() > MAX_CONDITIONS {
        return;
    }
    let Some(conditions) = Conditions::compile(sources, names) else {
        return;
    };
    for (place, entry) in raw.entries.iter().enumerate() {
        if let Some(error) = conditions.error(place) {
            let said = |lang| conditions::fault(error, entry.condition().unwrap_or_default(), lang);
            let field = format!("policy.entries[{place}].when");
            violations.add(field, format!("{} / {}", said(Lang::Zh), said(Lang::En)));
        }
    }
}

/// A version of a policy, indexed: a look-up costs the depth of the two trees, however many entries there are.
#[derive(Debug, Clone)]
pub struct Policy {
    version: i32,
    spec: PolicySpec,
    /// Places of the entries, by territory and then by product, in order.
    cells: HashMap<Option<TerritoryId>, HashMap<Option<ProductId>, Vec<usize>>>,
    /// Compiled; `None` where no entry has any.
    conditions: Option<Conditions>,
    /// Group of each entry.
    groups: Vec<Group>,
    default_group: Option<Group>,
}

/// Where a policy sends a lead.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The entry that matched; `None` for the default team.
    pub entry: Option<&'a Entry>,
    /// Its place in the policy.
    pub place: Option<usize>,
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
    /// Indexes a version of a policy whose conditions may read these names.
    #[must_use]
    pub fn new(version: i32, spec: PolicySpec, names: &Names) -> Self {
        let mut cells: HashMap<_, HashMap<_, Vec<_>>> = HashMap::new();
        for (place, entry) in spec.entries.iter().enumerate() {
            cells
                .entry(entry.territory.clone())
                .or_default()
                .entry(entry.product.clone())
                .or_default()
                .push(place);
        }
        let conditions = Conditions::compile(spec.entries.iter().map(|entry| entry.when.as_deref()), names);
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
            conditions,
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

    /// Returns the conditions of the entries; `None` if no entry has any, and then nobody needs the details of leads.
    #[must_use]
    pub fn conditions(&self) -> Option<&Conditions> {
        self.conditions.as_ref()
    }

    /// Finds where a lead goes, whose territory and product are given with all above them, the most special first.
    ///
    /// The territory decides before the product: a city's entry for any product comes before the province's entry for
    /// the very product. Entries of the same cell come in their order. Entries for any territory come last, then the
    /// default team; `None` if there is not even that. `holds` is asked whether the entry at a place is for
    /// the lead, as far as its condition goes.
    #[must_use]
    pub fn resolve(
        &self,
        territories: &[TerritoryId],
        products: &[ProductId],
        mut holds: impl FnMut(usize, &Entry) -> bool,
    ) -> Option<Target<'_>> {
        for territory in territories.iter().map(Some).chain([None]) {
            let Some(row) = self.cells.get(&territory.cloned()) else {
                continue;
            };
            for product in products.iter().map(Some).chain([None]) {
                for &place in row.get(&product.cloned()).into_iter().flatten() {
                    let entry = &self.spec.entries[place];
                    if holds(place, entry) {
                        return Some(Target {
                            entry: Some(entry),
                            place: Some(place),
                            group: &self.groups[place],
                        });
                    }
                }
            }
        }
        self.default_group.as_ref().map(|group| Target {
            entry: None,
            place: None,
            group,
        })
    }
}

#[cfg(test)]
mod tests;
