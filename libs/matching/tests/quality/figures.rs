//! Precision, recall and F1 over pairs, and over clusters.

use std::collections::{BTreeMap, BTreeSet};

/// How well pairs were found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) precision: f64,
    pub(crate) recall: f64,
    pub(crate) f1: f64,
}

impl Figures {
    fn new(right: usize, found: usize, there: usize) -> Self {
        let real = |count: usize| f64::from(u32::try_from(count).unwrap());
        let share = |part: usize, whole: usize| if whole == 0 { 1.0 } else { real(part) / real(whole) };
        let (precision, recall) = (share(right, found), share(right, there));
        let f1 = 2.0 * precision * recall / (precision + recall).max(1e-9);
        Self { precision, recall, f1 }
    }

    /// Compares the pairs that two divisions into clusters make.
    pub(crate) fn of_pairs<T: Ord + Clone, U: Ord + Clone>(found: &[T], truth: &[U]) -> Self {
        let both: Vec<(T, U)> = found.iter().cloned().zip(truth.iter().cloned()).collect();
        Self::new(pairs(&both), pairs(found), pairs(truth))
    }

    /// Compares clusters of several records that are exactly the same in both.
    pub(crate) fn of_clusters<T: Ord + Clone, U: Ord + Clone>(found: &[T], truth: &[U]) -> Self {
        let found = several(found);
        let truth = several(truth);
        Self::new(found.intersection(&truth).count(), found.len(), truth.len())
    }
}

fn pairs<T: Ord + Clone>(clusters: &[T]) -> usize {
    sizes(clusters).into_values().map(|size| size * (size - 1) / 2).sum()
}

fn sizes<T: Ord + Clone>(clusters: &[T]) -> BTreeMap<T, usize> {
    let mut sizes = BTreeMap::new();
    for cluster in clusters {
        *sizes.entry(cluster.clone()).or_default() += 1;
    }
    sizes
}

fn several<T: Ord + Clone>(clusters: &[T]) -> BTreeSet<Vec<usize>> {
    let mut members: BTreeMap<T, Vec<usize>> = BTreeMap::new();
    for (record, cluster) in clusters.iter().enumerate() {
        members.entry(cluster.clone()).or_default().push(record);
    }
    members.into_values().filter(|members| members.len() > 1).collect()
}
