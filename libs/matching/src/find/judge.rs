//! Judging links that somebody else keeps, so that records may come one by one.

use super::{Pair, clusters, rivals};
use crate::frequency::Frequencies;
use crate::leads::{self, Weights};
use crate::record::Record;

/// Two records that may be the same, as they were compared by themselves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Link {
    /// Place of one record.
    pub left: usize,
    /// Place of the other one, behind it.
    pub right: usize,
    /// How likely they are the same, as far as the two tell.
    pub score: f64,
    /// Whether what identifies a person is the same in both.
    pub is_identified: bool,
}

/// Judges all links of records together: for each how likely both are the same beside their rivals, and whether they are taken
/// for the same. The answer depends on the records, their order and their links, and on nothing that was judged before.
#[must_use]
pub fn judge(records: &[Record], links: &[Link], weights: &Weights) -> Vec<(f64, bool)> {
    let mut order: Vec<usize> = (0..links.len()).collect();
    order.sort_unstable_by_key(|at| (links[*at].left, links[*at].right));
    let mut settled: Vec<(Pair, bool)> = order
        .iter()
        .map(|at| {
            let link = links[*at];
            let pair = Pair {
                left: link.left,
                right: link.right,
                score: link.score,
            };
            (pair, link.is_identified)
        })
        .collect();
    // What excludes each other does so whatever others there are.
    let (nobody, scales) = (Frequencies::default(), weights.scales());
    let compare = |left: usize, right: usize| leads::compare(&records[left], &records[right], &nobody, &scales);
    rivals::settle(&mut settled, &compare);
    let mut pairs: Vec<Pair> = settled
        .iter()
        .map(|(pair, _)| *pair)
        .filter(|pair| pair.score >= weights.threshold)
        .collect();
    clusters::form(records.len(), &mut pairs, &compare);
    let mut judged = vec![(0.0, false); links.len()];
    let mut same = pairs.iter().map(|pair| (pair.left, pair.right)).peekable();
    for (at, (pair, _)) in order.into_iter().zip(&settled) {
        let is_same = same.next_if_eq(&(pair.left, pair.right)).is_some();
        judged[at] = (pair.score, is_same);
    }
    judged
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Field, Values};

    #[test]
    fn links_are_judged_beside_their_rivals() {
        let record = |contact: &str, mobile: &str| {
            let values = Values::default()
                .with(Field::Company, "苏州宏达精密机械有限公司")
                .with(Field::Contact, contact)
                .with(Field::Mobile, mobile);
            Record::read(&values)
        };
        // Somebody called Wang, of a company that has two of them.
        let records = [
            record("王总", ""),
            record("王建国", "13800138001"),
            record("王美丽", "13900139002"),
            record("王建国", "13800138001"),
        ];
        let scales = Weights::default().scales();
        let link = |left: usize, right: usize| {
            let compared = leads::compare(&records[left], &records[right], &Frequencies::default(), &scales);
            Link {
                left,
                right,
                score: compared.score,
                is_identified: compared.is_identified,
            }
        };
        let links = [link(1, 3), link(0, 2), link(0, 1), link(0, 3)];
        let judged = judge(&records, &links, &Weights::default());
        assert!(judged[0].1 && judged[0].0 > 0.97, "{judged:?}");
        assert!(judged[1..].iter().all(|(_, is_same)| !is_same), "{judged:?}");
        assert!(judged[2].0 < links[2].score, "{judged:?}");
        let alone = judge(&records[..2], &[link(0, 1)], &Weights::default());
        assert!(alone[0].0 > judged[2].0, "{alone:?}");
    }
}
