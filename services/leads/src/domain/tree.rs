//! Things with something above them: territories, products, teams, supervisors.

use std::fmt;

/// Why a thing cannot be put where it was sent to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlacementError<Id: fmt::Debug + fmt::Display> {
    /// What shall be above it does not exist.
    #[error("{0} does not exist")]
    Unknown(Id),
    /// It would be above itself; the way round, the first is the last.
    #[error("would close the circle {}", arrows(.0))]
    Circle(Vec<Id>),
}

/// Checks that `id` can be put under `parent`.
///
/// # Errors
/// Fails when the parent does not exist, or returns the circle it would close.
pub fn check_parent<'a, Id: Clone + Eq + fmt::Debug + fmt::Display>(
    id: &'a Id,
    parent: Option<&'a Id>,
    exists: impl Fn(&Id) -> bool,
    parent_of: impl Fn(&'a Id) -> Option<&'a Id>,
) -> Result<(), PlacementError<Id>> {
    let Some(parent) = parent else { return Ok(()) };
    let above = ascend(parent, parent_of);
    if let Some(place) = above.iter().position(|it| *it == id) {
        let circle = std::iter::once(id).chain(above[..=place].iter().copied());
        return Err(PlacementError::Circle(circle.cloned().collect()));
    }
    if exists(parent) {
        Ok(())
    } else {
        Err(PlacementError::Unknown(parent.clone()))
    }
}

/// Returns `start` and all above it, the nearest first; ends rather than going round where stored data have a circle.
pub fn ascend<'a, Id: Eq>(start: &'a Id, parent_of: impl Fn(&'a Id) -> Option<&'a Id>) -> Vec<&'a Id> {
    let mut path = vec![start];
    let mut next = parent_of(start);
    while let Some(id) = next {
        if path.contains(&id) {
            break;
        }
        path.push(id);
        next = parent_of(id);
    }
    path
}

fn arrows<Id: fmt::Display>(path: &[Id]) -> String {
    path.iter().map(ToString::to_string).collect::<Vec<_>>().join(" → ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODES: [&str; 5] = ["suzhou", "jiangsu", "east", "a", "b"];

    fn find(name: &str) -> Option<&'static &'static str> {
        NODES.iter().find(|node| **node == name)
    }

    fn parent_of(id: &'static &'static str) -> Option<&'static &'static str> {
        let parents = [("suzhou", "jiangsu"), ("jiangsu", "east"), ("a", "b"), ("b", "a")];
        parents
            .into_iter()
            .find(|(child, _)| child == id)
            .and_then(|(_, parent)| find(parent))
    }

    #[test]
    fn paths_go_up_and_always_end() {
        assert_eq!(ascend(&NODES[0], parent_of), [&"suzhou", &"jiangsu", &"east"]);
        assert_eq!(ascend(&NODES[3], parent_of), [&"a", &"b"]);
    }

    #[test]
    fn circles_and_unknown_parents_are_refused() {
        let check = |id: &'static &'static str, parent: Option<&'static &'static str>| {
            check_parent(id, parent, |node| NODES.contains(node), parent_of).map_err(|error| error.to_string())
        };
        let [suzhou, jiangsu, east, a] = ["suzhou", "jiangsu", "east", "a"].map(|name| find(name).unwrap());
        assert_eq!(check(suzhou, Some(east)), Ok(()));
        assert_eq!(check(east, None), Ok(()));
        assert_eq!(check(jiangsu, Some(&"mars")), Err("mars does not exist".into()));
        assert_eq!(
            check(east, Some(east)),
            Err("would close the circle east → east".into())
        );
        assert_eq!(
            check(east, Some(suzhou)),
            Err("would close the circle east → suzhou → jiangsu → east".into())
        );
        assert_eq!(
            check(suzhou, Some(a)),
            Ok(()),
            "somebody else's circle is not this one's fault"
        );
    }
}
