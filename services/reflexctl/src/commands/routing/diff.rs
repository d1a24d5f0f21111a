//! What differs between two versions of the policy.

use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;
use std::hash::Hash;

use reflex_proto::leads::v1::RoutingPolicy;
use reflex_proto::leads::v1::routing_policy::Entry;
use serde_json::{Value, json};

use super::{Way, show};
use crate::cli::Language;
use crate::dynamic::to_json;
use crate::output::Table;

/// An entry that differs; one that is in both versions is changed, moved, or both.
#[derive(Debug, Clone, PartialEq)]
struct Change<'a> {
    /// Its place and content before; `None` for an added one.
    before: Option<(usize, &'a Entry)>,
    /// Its place and content after; `None` for a removed one.
    after: Option<(usize, &'a Entry)>,
    /// Whether others passed it, or it passed others.
    moved: bool,
}

pub(super) async fn run(way: &Way<'_>, before: i32, after: i32) -> anyhow::Result<()> {
    let (before, after) = tokio::try_join!(way.policy(before), way.policy(after))?;
    let (before, after) = (before.policy.unwrap_or_default(), after.policy.unwrap_or_default());
    let changes = compare(&before.entries, &after.entries);
    way.output.object(&object(&before, &after, &changes), || {
        render(&before, &after, &changes, way.lang)
    })?;
    Ok(())
}

/// Finds what became of each entry: the same ones first, then those of the same cell and condition, then those of the same
/// cell and team, then those of the same cell.
fn compare<'a>(before: &'a [Entry], after: &'a [Entry]) -> Vec<Change<'a>> {
    let mut pairs = Pairs {
        before,
        after,
        partners: vec![None; before.len()],
        taken: vec![false; after.len()],
    };
    pairs.match_by(|it| (&it.territory, &it.product, &it.when, Some(&it.team), Some(&it.skills)));
    pairs.match_by(|it| (&it.territory, &it.product, &it.when));
    pairs.match_by(|it| (&it.territory, &it.product, &it.team));
    pairs.match_by(|it| (&it.territory, &it.product));
    let staying = longest_rising(&pairs.partners);
    let mut changes = Vec::new();
    for (place, entry) in before.iter().enumerate() {
        let partner = pairs.partners[place];
        let moved = partner.is_some() && !staying[place];
        if partner.is_none_or(|partner| moved || after[partner] != *entry) {
            changes.push(Change {
                before: Some((place, entry)),
                after: partner.map(|partner| (partner, &after[partner])),
                moved,
            });
        }
    }
    for (place, entry) in after.iter().enumerate().filter(|(place, _)| !pairs.taken[*place]) {
        changes.push(Change {
            before: None,
            after: Some((place, entry)),
            moved: false,
        });
    }
    // As one reads the new version; what is gone stands where it was.
    changes.sort_by_key(|change| {
        (
            change.after.or(change.before).map(|(place, _)| place),
            change.after.is_some(),
        )
    });
    changes
}

/// Which entry after is which entry before.
struct Pairs<'a> {
    before: &'a [Entry],
    after: &'a [Entry],
    /// By place before.
    partners: Vec<Option<usize>>,
    /// By place after.
    taken: Vec<bool>,
}

impl<'a> Pairs<'a> {
    /// Pairs what has no partner yet and the same key, in order.
    fn match_by<K: Eq + Hash>(&mut self, key: impl Fn(&'a Entry) -> K) {
        let mut free: HashMap<K, VecDeque<usize>> = HashMap::new();
        for (place, entry) in self.after.iter().enumerate() {
            if !self.taken[place] {
                free.entry(key(entry)).or_default().push_back(place);
            }
        }
        for (place, entry) in self.before.iter().enumerate() {
            if self.partners[place].is_some() {
                continue;
            }
            if let Some(partner) = free.get_mut(&key(entry)).and_then(VecDeque::pop_front) {
                self.partners[place] = Some(partner);
                self.taken[partner] = true;
            }
        }
    }
}

/// Tells which places belong to a longest rising sequence: as few as possible are left out, and those have moved.
fn longest_rising(partners: &[Option<usize>]) -> Vec<bool> {
    // By length of a sequence less one: the place where the one with the lowest end ends.
    let mut ends: Vec<usize> = Vec::new();
    let mut previous: Vec<Option<usize>> = vec![None; partners.len()];
    for (place, partner) in partners.iter().enumerate() {
        let Some(partner) = partner else { continue };
        let length = ends.partition_point(|&end| partners[end].is_some_and(|it| it < *partner));
        previous[place] = length.checked_sub(1).map(|shorter| ends[shorter]);
        match ends.get_mut(length) {
            Some(end) => *end = place,
            None => ends.push(place),
        }
    }
    let mut staying = vec![false; partners.len()];
    let mut next = ends.last().copied();
    while let Some(place) = next {
        staying[place] = true;
        next = previous[place];
    }
    staying
}

impl Change<'_> {
    fn kind(&self) -> &'static str {
        match (self.before, self.after) {
            (None, _) => "added",
            (_, None) => "removed",
            (Some((_, before)), Some((_, after))) if before != after => "changed",
            _ => "moved",
        }
    }
}

fn object(before: &RoutingPolicy, after: &RoutingPolicy, changes: &[Change<'_>]) -> Value {
    let number = |side: Option<(usize, &Entry)>| side.map(|(place, _)| place + 1);
    let content =
        |side: Option<(usize, &Entry)>| side.map(|(_, entry)| to_json("reflex.leads.v1.RoutingPolicy.Entry", entry));
    let entry = |change: &Change<'_>| {
        json!({
            "kind": change.kind(),
            "number_before": number(change.before),
            "number_after": number(change.after),
            "moved": change.moved,
            "before": content(change.before),
            "after": content(change.after),
        })
    };
    let whole = |policy| to_json("reflex.leads.v1.RoutingPolicy", policy);
    let (before, after) = (whole(before), whole(after));
    let fields = ["defaultTeam", "claimWithin", "claimWallClock", "reassignUnclaimed"];
    let settings = fields.iter().filter(|field| before[**field] != after[**field]);
    let settings: Vec<Value> = settings
        .map(|field| json!({"field": field, "before": before[*field], "after": after[*field]}))
        .collect();
    let entries: Vec<Value> = changes.iter().map(entry).collect();
    json!({"settings": settings, "entries": entries})
}

fn render(before: &RoutingPolicy, after: &RoutingPolicy, changes: &[Change<'_>], lang: Language) -> String {
    let mut text = String::new();
    let settings = show::settings(before, lang)
        .into_iter()
        .zip(show::settings(after, lang));
    for ((label, before), (_, after)) in settings.filter(|(before, after)| before != after) {
        let _ = writeln!(text, "{label}  {before} → {after}");
    }
    if changes.is_empty() {
        if text.is_empty() {
            text += lang.pick("没有区别\n", "no difference\n");
        }
        return text;
    }
    let mut table = Table::new([
        "",
        "#",
        lang.pick("地域", "TERRITORY"),
        lang.pick("产品", "PRODUCT"),
        lang.pick("条件", "WHEN"),
        lang.pick("团队", "TEAM"),
        lang.pick("技能", "SKILLS"),
    ]);
    for change in changes {
        let [territory, product, when, team, skills] = both(change, lang);
        table.row([
            what(change, lang),
            numbers(change),
            territory,
            product,
            when,
            team,
            skills,
        ]);
    }
    text + &table.render(0)
}

fn what(change: &Change<'_>, lang: Language) -> String {
    let moved = lang.pick("移动", "moved");
    match change.kind() {
        "added" => lang.pick("+ 新增", "+ added").to_owned(),
        "removed" => lang.pick("- 删除", "- removed").to_owned(),
        "changed" if change.moved => format!("{} {moved}", lang.pick("~ 修改", "~ changed")),
        "changed" => lang.pick("~ 修改", "~ changed").to_owned(),
        _ => format!("> {moved}"),
    }
}

/// Returns the numbers before and after, once if they are the same.
fn numbers(change: &Change<'_>) -> String {
    match (change.before, change.after) {
        (Some((before, _)), Some((after, _))) if before != after => format!("{} → {}", before + 1, after + 1),
        (Some((place, _)), _) | (None, Some((place, _))) => (place + 1).to_string(),
        (None, None) => String::new(),
    }
}

/// Returns each cell, with what it was before where that differs.
fn both(change: &Change<'_>, lang: Language) -> [String; 5] {
    let cells = |side: Option<(usize, &Entry)>| side.map(|(_, entry)| show::cells(entry, lang));
    match (cells(change.before), cells(change.after)) {
        (Some(before), Some(after)) => {
            let mut pairs = before.into_iter().zip(after);
            std::array::from_fn(|_| match pairs.next() {
                Some((before, after)) if before != after => {
                    let none = |cell: String| {
                        if cell.is_empty() {
                            lang.pick("无", "none").to_owned()
                        } else {
                            cell
                        }
                    };
                    format!("{} → {}", none(before), none(after))
                }
                Some((same, _)) => same,
                None => String::new(),
            })
        }
        (Some(only), None) | (None, Some(only)) => only,
        (None, None) => Default::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(lines: &[(&str, &str, &str)]) -> Vec<Entry> {
        let entry = |&(product, when, team): &(&str, &str, &str)| Entry {
            product: product.to_owned(),
            when: when.to_owned(),
            team: team.to_owned(),
            ..Entry::default()
        };
        lines.iter().map(entry).collect()
    }

    /// Returns kind, numbers and whether it moved, of each change.
    fn changes(before: &[(&str, &str, &str)], after: &[(&str, &str, &str)]) -> Vec<(&'static str, String, bool)> {
        let (before, after) = (entries(before), entries(after));
        let changes = compare(&before, &after);
        changes.iter().map(|it| (it.kind(), numbers(it), it.moved)).collect()
    }

    #[test]
    fn each_entry_is_added_removed_changed_or_moved() {
        const A: (&str, &str, &str) = ("a", "x", "one");
        const B: (&str, &str, &str) = ("b", "", "two");
        const C: (&str, &str, &str) = ("c", "", "two");
        for (before, after, expected) in [
            (&[A, B, C][..], &[A, B, C][..], &[][..]),
            (&[A, B], &[A, C, B], &[("added", "2", false)]),
            (&[A, B, C], &[A, C], &[("removed", "2", false)]),
            (&[A, B, C], &[C, A, B], &[("moved", "3 → 1", true)]),
            (&[A, B], &[("a", "x", "three"), B], &[("changed", "1", false)]),
            (&[A, B], &[B, ("a", "y", "one")], &[("changed", "1 → 2", true)]),
            (&[A, A, B], &[A, B], &[("removed", "2", false)]),
            (&[], &[A], &[("added", "1", false)]),
            (&[A], &[], &[("removed", "1", false)]),
            (
                // Of two conditions of a cell, the one that stays is the one that says the same.
                &[("a", "x", "one"), ("a", "y", "two")],
                &[("a", "y", "three")],
                &[("removed", "1", false), ("changed", "2 → 1", false)],
            ),
        ] {
            let found = changes(before, after);
            let found: Vec<_> = found
                .iter()
                .map(|(kind, numbers, moved)| (*kind, numbers.as_str(), *moved))
                .collect();
            assert_eq!(found, expected, "{before:?} {after:?}");
        }
    }

    #[test]
    fn as_few_as_possible_have_moved() {
        let partners = [Some(3), Some(0), None, Some(1), Some(2)];
        assert_eq!(longest_rising(&partners), [false, true, false, true, true]);
        assert_eq!(longest_rising(&[]), [false; 0]);
    }

    #[test]
    fn a_difference_is_shown_in_both_languages() {
        let before = RoutingPolicy {
            entries: entries(&[("products/a", "有电话", "teams/one"), ("", "", "teams/two")]),
            ..RoutingPolicy::default()
        };
        let after = RoutingPolicy {
            entries: entries(&[
                ("products/a", "", "teams/three"),
                ("", "", "teams/two"),
                ("products/b", "", "teams/one"),
            ]),
            default_team: "teams/two".to_owned(),
            ..RoutingPolicy::default()
        };
        let changes = compare(&before.entries, &after.entries);
        let expected = "\
默认团队  无 → teams/two
        #  地域  产品        条件         团队                     技能
~ 修改  1  任何  products/a  有电话 → 无  teams/one → teams/three
+ 新增  3  任何  products/b               teams/one
";
        assert_eq!(render(&before, &after, &changes, Language::Zh), expected);
        let english = render(&before, &after, &changes, Language::En);
        assert!(
            english.contains("~ changed") && english.contains("有电话 → none"),
            "{english}"
        );
        assert_eq!(render(&before, &before, &[], Language::En), "no difference\n");
        let object = object(&before, &after, &changes);
        assert_eq!(object["settings"][0]["field"], "defaultTeam");
        assert_eq!(object["entries"][1]["kind"], "added");
        assert_eq!(object["entries"][1]["before"], Value::Null);
    }
}
