//! Clusters: the same as the same is the same, unless two of them exclude each other.

use super::Pair;
use crate::evidence::Comparison;

/// Most members of a cluster that are all compared with another one's.
const ALL: usize = 16;
/// How many are, where there are more.
const SOME: usize = 8;

/// Forms clusters from the best pair down, and takes away the pairs that two clusters which exclude each other keep apart.
/// Returns the cluster of each record, named by its first one.
pub(super) fn form(records: usize, pairs: &mut Vec<Pair>, compare: &dyn Fn(usize, usize) -> Comparison) -> Vec<usize> {
    let mut cluster_of: Vec<usize> = (0..records).collect();
    let mut members: Vec<Vec<usize>> = (0..records).map(|record| vec![record]).collect();
    let mut order: Vec<usize> = (0..pairs.len()).collect();
    order.sort_by(|left, right| pairs[*right].score.total_cmp(&pairs[*left].score).then(left.cmp(right)));
    for at in order {
        let (left, right) = (cluster_of[pairs[at].left], cluster_of[pairs[at].right]);
        if left == right {
            continue;
        }
        if !may_join(&members[left], &members[right], &pairs[at], compare) {
            continue;
        }
        let (small, large) = if members[left].len() < members[right].len() {
            (left, right)
        } else {
            (right, left)
        };
        let moved = std::mem::take(&mut members[small]);
        for record in &moved {
            cluster_of[*record] = large;
        }
        members[large].extend(moved);
    }
    pairs.retain(|pair| cluster_of[pair.left] == cluster_of[pair.right]);
    let first: Vec<usize> = members
        .iter()
        .map(|members| members.iter().copied().min().unwrap_or_default())
        .collect();
    cluster_of.into_iter().map(|cluster| first[cluster]).collect()
}

fn may_join(left: &[usize], right: &[usize], pair: &Pair, compare: &dyn Fn(usize, usize) -> Comparison) -> bool {
    let is_excluded = |one: usize, two: usize| compare(one.min(two), one.max(two)).is_excluded;
    if left.len() <= ALL && right.len() <= ALL {
        return !left.iter().any(|one| right.iter().any(|two| is_excluded(*one, *two)));
    }
    let excludes = |one: usize, others: &[usize]| others.iter().take(SOME).any(|two| is_excluded(one, *two));
    !excludes(pair.left, if left.contains(&pair.left) { right } else { left })
        && !excludes(pair.right, if right.contains(&pair.right) { left } else { right })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Evidence;
    use crate::record::FIELDS;

    #[test]
    fn who_excludes_each_other_is_never_joined() {
        let compare = |left: usize, right: usize| Comparison {
            fields: [Evidence::NONE; FIELDS],
            score: 0.9,
            is_excluded: (left, right) == (0, 2),
            is_identified: false,
        };
        let mut pairs = vec![
            Pair {
                left: 0,
                right: 1,
                score: 0.99,
            },
            Pair {
                left: 1,
                right: 2,
                score: 0.9,
            },
            Pair {
                left: 3,
                right: 4,
                score: 0.9,
            },
        ];
        assert_eq!(form(5, &mut pairs, &compare), [0, 0, 2, 3, 3]);
        assert_eq!(pairs.len(), 2);
    }
}
