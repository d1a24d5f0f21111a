//! Where a record may be several people who exclude each other, 王总 where a company has two of them, it cannot be all.

use rustc_hash::FxHashMap;

use super::Pair;
use crate::evidence::Comparison;

/// Most rivals of a record that are looked at.
const MAX_RIVALS: usize = 24;

/// Lowers the scores of pairs that do not identify anybody by what their rivals are worth.
pub(super) fn settle(pairs: &mut [(Pair, bool)], compare: &dyn Fn(usize, usize) -> Comparison) {
    let mut of_record: FxHashMap<usize, Vec<usize>> = FxHashMap::default();
    for (at, (pair, _)) in pairs.iter().enumerate() {
        for record in [pair.left, pair.right] {
            let known = of_record.entry(record).or_default();
            if known.len() < MAX_RIVALS {
                known.push(at);
            }
        }
    }
    let odds = |score: f64| score / (1.0 - score).max(1e-9);
    let mut scores = Vec::with_capacity(pairs.len());
    for (at, (pair, is_identified)) in pairs.iter().enumerate() {
        let mut score = pair.score;
        if !is_identified {
            for (record, partner) in [(pair.left, pair.right), (pair.right, pair.left)] {
                let mut against = 0.0;
                for other in of_record
                    .get(&record)
                    .into_iter()
                    .flatten()
                    .filter(|other| **other != at)
                {
                    let (rival, _) = pairs[*other];
                    let third = if rival.left == record { rival.right } else { rival.left };
                    if compare(partner, third).is_excluded {
                        // Leads of one rival say the same several times.
                        against = f64::max(against, odds(rival.score));
                    }
                }
                let own = odds(pair.score);
                score = score.min(own / (1.0 + own + against));
            }
        }
        scores.push(score);
    }
    for ((pair, _), score) in pairs.iter_mut().zip(scores) {
        pair.score = score;
    }
}
