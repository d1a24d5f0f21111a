//! Territories and products: trees of things that people call by many names.

use std::collections::HashMap;
use std::sync::Arc;

use super::ids::{ProductId, ResourceId, TerritoryId};
use super::names::{Names, Recognition, fold};
use super::tree::{self, PlacementError};
use super::violation::{Violation, Violations};

/// A place that leads come from.
pub type Territory = Node<TerritoryId>;
/// A product or product line that leads ask for.
pub type Product = Node<ProductId>;

/// One thing of a catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node<Id> {
    /// Its id.
    pub id: Id,
    /// Name as people write it.
    pub display_name: String,
    /// What it belongs to; `None` for the widest.
    pub parent: Option<Id>,
    /// Other spellings.
    pub aliases: Vec<String>,
}

/// A territory or product as it was sent, not checked.
#[derive(Debug, Clone, Default)]
pub struct RawNode {
    /// Resource name.
    pub name: String,
    /// Name as people write it.
    pub display_name: String,
    /// Resource name of what it belongs to, or empty.
    pub parent: String,
    /// Other spellings.
    pub aliases: Vec<String>,
}

impl<Id: ResourceId> Node<Id> {
    /// Checks a territory or product; `path` is the message's place in the request, for example `territory`.
    ///
    /// # Errors
    /// Returns everything that is wrong with it.
    pub fn parse(path: &str, raw: &RawNode) -> Result<Self, Vec<Violation>> {
        let mut violations = Violations::default();
        let id = violations.name(&format!("{path}.name"), &raw.name);
        let display_name = violations.line(&format!("{path}.display_name"), &raw.display_name, 1..=100);
        let parent = violations.optional_name(&format!("{path}.parent"), &raw.parent);
        let field = format!("{path}.aliases");
        violations.number(&field, raw.aliases.len(), 0..=100);
        let aliases = raw
            .aliases
            .iter()
            .map(|alias| violations.line(&field, alias, 1..=100))
            .collect();
        match id {
            Some(id) if violations.is_empty() => Ok(Self {
                id,
                display_name,
                parent,
                aliases,
            }),
            _ => Err(violations.into_vec()),
        }
    }
}

/// All territories, or all products, of a tenant, indexed by id and name.
#[derive(Debug, Clone)]
pub struct Catalogue<Id> {
    nodes: HashMap<Id, Node<Id>>,
    paths: HashMap<Id, Arc<[Id]>>,
    names: Names<Id>,
}

impl<Id: ResourceId> Catalogue<Id> {
    /// Indexes the nodes; `endings` are left out by people who write a name, see [`super::names`].
    #[must_use]
    pub fn new(nodes: Vec<Node<Id>>, endings: &[&str]) -> Self {
        let names = nodes.iter().flat_map(|node| {
            let texts = std::iter::once(&node.display_name).chain(&node.aliases);
            texts.map(|text| (text.as_str(), &node.id))
        });
        let names = Names::new(names, endings);
        let nodes: HashMap<_, _> = nodes.into_iter().map(|node| (node.id.clone(), node)).collect();
        let path = |id| {
            tree::ascend(id, |id| nodes.get(id)?.parent.as_ref())
                .into_iter()
                .cloned()
                .collect()
        };
        let paths = nodes.keys().map(|id| (id.clone(), path(id))).collect();
        Self { nodes, paths, names }
    }

    /// Returns a node, if it exists.
    #[must_use]
    pub fn find(&self, id: &Id) -> Option<&Node<Id>> {
        self.nodes.get(id)
    }

    /// Returns the node and all above it, the most special first; empty if it does not exist.
    #[must_use]
    pub fn path(&self, id: &Id) -> &[Id] {
        self.paths.get(id).map_or(&[], |path| path)
    }

    /// Finds what a typed text means.
    #[must_use]
    pub fn recognise(&self, text: &str) -> Recognition<Id> {
        let typed = text.trim();
        let id = typed.parse().or_else(|_| Id::from_id(&fold(typed)));
        match id {
            Ok(id) if self.nodes.contains_key(&id) => Recognition::Known(id),
            _ => self.names.recognise(text, |id| self.path(id)),
        }
    }

    /// Returns everything that has exactly this id, name or alias; nothing inside of the text counts.
    #[must_use]
    pub fn called(&self, text: &str) -> Vec<Id> {
        let by_id = Id::from_id(&fold(text)).ok().filter(|id| self.nodes.contains_key(id));
        let mut found: Vec<Id> = by_id
            .into_iter()
            .chain(self.names.bearing(text).iter().cloned())
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Checks that `node` may be stored beside the others.
    ///
    /// # Errors
    /// Fails when its parent does not exist or lies below it.
    pub fn check(&self, node: &Node<Id>) -> Result<(), PlacementError<Id>> {
        let exists = |id: &Id| self.nodes.contains_key(id);
        tree::check_parent(&node.id, node.parent.as_ref(), exists, |id| {
            self.nodes.get(id)?.parent.as_ref()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::names::PLACE_ENDINGS;

    fn territories() -> Catalogue<TerritoryId> {
        let rows = [
            ("east", "华东", "", &["East China"][..]),
            ("shanghai", "上海市", "east", &["沪", "Shanghai"]),
            ("jiangsu", "江苏省", "east", &["苏"]),
            ("suzhou", "苏州市", "jiangsu", &[]),
            ("nanjing", "南京市", "jiangsu", &[]),
            ("gulou-nanjing", "鼓楼区", "nanjing", &[]),
            ("xuzhou", "徐州市", "jiangsu", &[]),
            ("gulou-xuzhou", "鼓楼区", "xuzhou", &[]),
            ("guangxi", "广西壮族自治区", "", &[]),
            ("hongkong", "香港特别行政区", "", &[]),
            ("jilin", "吉林省", "", &[]),
            ("jilin-city", "吉林市", "jilin", &[]),
        ];
        let node = |(id, name, parent, aliases): (&str, &str, &str, &[&str])| Node {
            id: TerritoryId::from_id(id).unwrap(),
            display_name: name.into(),
            parent: TerritoryId::from_id(parent).ok(),
            aliases: aliases.iter().map(ToString::to_string).collect(),
        };
        Catalogue::new(rows.into_iter().map(node).collect(), PLACE_ENDINGS)
    }

    fn known(id: &str) -> Recognition<TerritoryId> {
        Recognition::Known(TerritoryId::from_id(id).unwrap())
    }

    #[test]
    fn typed_places_are_recognised() {
        let territories = territories();
        for (typed, id) in [
            ("territories/suzhou", "suzhou"),
            ("Suzhou", "suzhou"),
            ("苏州", "suzhou"),
            ("苏州市", "suzhou"),
            ("江苏省苏州市", "suzhou"),
            ("江苏 苏州", "suzhou"),
            ("苏州（江苏）", "suzhou"),
            ("中国江苏省苏州工业园区星湖街328号", "suzhou"),
            ("苏州园区, East China", "suzhou"),
            ("沪", "shanghai"),
            ("ＳＨＡＮＧＨＡＩ", "shanghai"),
            ("in Shanghai, near the river", "shanghai"),
            ("上海市南京西路100号", "shanghai"),
            ("华东地区", "east"),
            ("广西", "guangxi"),
            ("广西壮族", "guangxi"),
            ("香港", "hongkong"),
            ("南京市鼓楼区", "gulou-nanjing"),
            ("徐州鼓楼区", "gulou-xuzhou"),
            ("吉林", "jilin"),
            ("吉林省", "jilin"),
            ("吉林市", "jilin-city"),
            ("吉林吉林市", "jilin-city"),
        ] {
            assert_eq!(territories.recognise(typed), known(id), "{typed}");
        }
    }

    #[test]
    fn nothing_is_guessed() {
        let territories = territories();
        for typed in ["", " \u{3000}"] {
            assert_eq!(territories.recognise(typed), Recognition::Empty);
        }
        for typed in ["火星", "苏", "沪A牌照", "territories/mars", "Shanghaiese"] {
            let found = territories.recognise(typed);
            let expected = if typed == "苏" {
                known("jiangsu")
            } else {
                Recognition::Unknown
            };
            assert_eq!(found, expected, "{typed}");
        }
        for typed in ["鼓楼区", "上海或苏州", "江苏徐州市和南京市鼓楼区"] {
            assert!(
                matches!(territories.recognise(typed), Recognition::Ambiguous(_)),
                "{typed}"
            );
        }
    }

    #[test]
    fn circles_and_unknown_parents_are_refused() {
        let territories = territories();
        let id = |text: &str| TerritoryId::from_id(text).unwrap();
        let placed = |child: &str, parent: &str| {
            let raw = RawNode {
                name: id(child).to_string(),
                display_name: "x".into(),
                parent: id(parent).to_string(),
                aliases: Vec::new(),
            };
            territories
                .check(&Node::parse("territory", &raw).unwrap())
                .map_err(|error| error.to_string())
        };
        assert_eq!(placed("suzhou", "shanghai"), Ok(()));
        assert_eq!(placed("new", "suzhou"), Ok(()));
        assert_eq!(placed("new", "mars"), Err("territories/mars does not exist".into()));
        let circle =
            "would close the circle territories/east → territories/suzhou → territories/jiangsu → territories/east";
        assert_eq!(placed("east", "suzhou"), Err(circle.into()));
        assert_eq!(
            placed("new", "new"),
            Err("would close the circle territories/new → territories/new".into())
        );
    }
}
