//! Which field reads which: circles, depth, and an order in which each comes after what it reads.

use super::{Entity, Names};

/// Fields of one entity, by their places, with the places each reads.
pub(super) struct Graph(Vec<Vec<usize>>);

impl Graph {
    /// Draws the fields of an entity.
    pub(super) fn new(names: &Names, entity: Entity) -> Self {
        let edges = names.definitions(entity).iter().map(|definition| {
            let read = definition.reads();
            let resolved = read.iter().filter_map(|name| names.resolve(entity, name));
            let own = resolved.filter_map(|(source, _)| source.calculated());
            own.filter(|(of, _)| *of == entity).map(|(_, place)| place).collect()
        });
        Self(edges.collect())
    }

    /// Finds a circle that a field is part of: each reads the next, and the last is the first again.
    pub(super) fn circle(&self, start: usize) -> Option<Vec<usize>> {
        // The shortest, found by breadth, as it is the easiest to read.
        let mut before: Vec<Option<usize>> = vec![None; self.0.len()];
        let mut next = vec![start];
        while !next.is_empty() {
            let mut after = Vec::new();
            for from in next {
                for &to in &self.0[from] {
                    if to == start {
                        let ahead = std::iter::successors(Some(from), |at| before[*at]);
                        let mut circle: Vec<usize> = ahead.take_while(|at| *at != start).collect();
                        circle.insert(0, start);
                        circle.push(start);
                        circle.reverse();
                        return Some(circle);
                    }
                    if before[to].is_none() {
                        before[to] = Some(from);
                        after.push(to);
                    }
                }
            }
            next = after;
        }
        None
    }

    /// Lists the fields so that each comes after what it reads; those of circles are left out.
    pub(super) fn order(&self) -> Vec<usize> {
        let mut order = Vec::with_capacity(self.0.len());
        let mut done = vec![false; self.0.len()];
        loop {
            let before = order.len();
            for place in 0..self.0.len() {
                if !done[place] && self.0[place].iter().all(|read| done[*read]) {
                    done[place] = true;
                    order.push(place);
                }
            }
            if order.len() == before {
                return order;
            }
        }
    }

    /// Returns how many fields lie on the longest way from one to what it reads at last, the first included; by places.
    pub(super) fn depths(&self) -> Vec<usize> {
        let mut depths = vec![0; self.0.len()];
        for place in self.order() {
            depths[place] = 1 + self.0[place].iter().map(|read| depths[*read]).max().unwrap_or(0);
        }
        depths
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circles_depths_and_orders() {
        for (edges, circles, depths) in [
            (&[&[1][..], &[2], &[]][..], [None, None, None], vec![3, 2, 1]),
            (&[&[0], &[], &[]], [Some(vec![0, 0]), None, None], vec![0, 1, 1]),
            (
                &[&[1], &[0], &[0]],
                [Some(vec![0, 1, 0]), Some(vec![1, 0, 1]), None],
                vec![0, 0, 0],
            ),
            (
                &[&[1, 2], &[2], &[0]],
                [Some(vec![0, 2, 0]), Some(vec![1, 2, 0, 1]), Some(vec![2, 0, 2])],
                vec![0, 0, 0],
            ),
            (&[&[1, 2], &[2], &[]], [None, None, None], vec![3, 2, 1]),
        ] {
            let graph = Graph(edges.iter().map(|reads| reads.to_vec()).collect());
            for (start, circle) in circles.into_iter().enumerate() {
                assert_eq!(graph.circle(start), circle, "{edges:?} from {start}");
            }
            assert_eq!(graph.depths(), depths, "{edges:?}");
            let order = graph.order();
            for (at, place) in order.iter().enumerate() {
                let ahead = &order[..at];
                assert!(
                    edges[*place].iter().all(|read| ahead.contains(read)),
                    "{edges:?}: {order:?}"
                );
            }
        }
    }
}
