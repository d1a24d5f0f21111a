//! The only source of new ids, so that tests are repeatable.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use uuid::{Builder, Uuid};

/// Makes ids that sort by the time they were made.
pub trait IdSource: Send + Sync + 'static {
    /// Returns an id that was never returned before.
    fn next(&self) -> Uuid;
}

/// The id source of a process, shared by everything in it.
pub type SharedIds = Arc<dyn IdSource>;

/// `UUIDv7` ids of the machine's time and randomness.
#[derive(Debug, Default)]
pub struct SystemIds;

impl IdSource for SystemIds {
    #[expect(clippy::disallowed_methods, reason = "the one place that makes random ids")]
    fn next(&self) -> Uuid {
        Uuid::now_v7()
    }
}

/// Ids in the shape of `UUIDv7`, the same ones in every run; two sources of one seed repeat each other.
#[derive(Debug)]
pub struct SeededIds {
    seed: u64,
    count: AtomicU64,
}

impl SeededIds {
    /// Returns the source of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            count: AtomicU64::new(0),
        }
    }
}

impl IdSource for SeededIds {
    fn next(&self) -> Uuid {
        // 2026-01-01, then a millisecond per id: in order, as the real ones are.
        const FIRST_MILLISECOND: u64 = 1_767_225_600_000;
        let count = self.count.fetch_add(1, Ordering::SeqCst);
        let high = mix(self.seed ^ mix(count)).to_be_bytes();
        let low = mix(self.seed.wrapping_add(count)).to_be_bytes();
        let mut random = [0; 10];
        random[..8].copy_from_slice(&high);
        random[8..].copy_from_slice(&low[..2]);
        Builder::from_unix_timestamp_millis(FIRST_MILLISECOND + count, &random).into_uuid()
    }
}

/// `SplitMix64`'s output function: spreads neighbouring numbers over all bits.
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn both_sources_make_ordered_v7_ids() {
        let sources: [&dyn IdSource; 2] = [&SystemIds, &SeededIds::new(1)];
        for source in sources {
            let ids: Vec<_> = (0..1_000).map(|_| source.next()).collect();
            assert!(
                ids.windows(2).all(|pair| pair[0] < pair[1]),
                "in order, without doubles"
            );
            assert!(ids.iter().all(|id| id.get_version_num() == 7));
        }
    }

    #[test]
    fn a_seed_decides_all_its_ids() {
        let of = |seed| {
            let source = SeededIds::new(seed);
            (0..100).map(|_| source.next()).collect::<BTreeSet<_>>()
        };
        assert_eq!(of(1), of(1));
        assert!(of(1).is_disjoint(&of(2)));
    }
}
