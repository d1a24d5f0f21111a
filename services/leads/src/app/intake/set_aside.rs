//! Work that failed, kept out of the way of the rest for a while.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;
use uuid::Uuid;

use crate::store::intake::{Passed, Work};

/// Rest after the first failure; each further one doubles it.
const FIRST_REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(30);
/// Failures of work that has not come again for so long are forgotten.
const MEMORY: Duration = Duration::from_mins(1);

/// What names a piece of work: a reason to look at waiting leads, or a new lead.
type Key = (Option<i64>, Option<Uuid>);

struct Failed {
    count: u32,
    until: Instant,
}

/// The failed work of a shard.
#[derive(Default)]
pub(super) struct SetAside {
    failed: HashMap<Key, Failed>,
}

impl SetAside {
    /// Lists what rests at the moment.
    pub(super) fn passed(&mut self, now: Instant) -> Passed {
        self.failed.retain(|_, failed| failed.until + MEMORY > now);
        let mut passed = Passed::default();
        for (key, _) in self.failed.iter().filter(|(_, failed)| failed.until > now) {
            match *key {
                (Some(reroute), _) => passed.reroutes.push(reroute),
                (None, lead) => passed.leads.extend(lead),
            }
        }
        passed
    }

    /// Lets work that failed rest; returns for how long.
    pub(super) fn add(&mut self, work: &Work, now: Instant) -> Duration {
        let failed = self.failed.entry(key(work)).or_insert(Failed { count: 0, until: now });
        let rest = (FIRST_REST * (1 << failed.count.min(8))).min(LONGEST_REST);
        failed.count += 1;
        failed.until = now + rest;
        rest
    }

    /// Forgets the failures of work that is done.
    pub(super) fn forget(&mut self, work: &[&Work]) {
        if self.failed.is_empty() {
            return;
        }
        for work in work {
            self.failed.remove(&key(work));
        }
    }
}

fn key(work: &Work) -> Key {
    (work.reroute, work.lead_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lead() -> Work {
        Work {
            tenant_id: "huakang".into(),
            reroute: None,
            trigger: None,
            team: None,
            lead_id: Some(Uuid::from_u128(1)),
            from_file: false,
        }
    }

    #[test]
    fn rests_grow_and_are_over_with_success() {
        let (mut aside, work, mut now) = (SetAside::default(), lead(), Instant::now());
        let rests: Vec<u64> = (0..7)
            .map(|_| {
                let rest = aside.add(&work, now);
                assert_eq!(aside.passed(now).leads, [Uuid::from_u128(1)]);
                now += rest;
                assert!(aside.passed(now).leads.is_empty());
                rest.as_secs()
            })
            .collect();
        assert_eq!(rests, [1, 2, 4, 8, 16, 30, 30]);
        aside.forget(&[&work]);
        assert_eq!(aside.add(&work, now), FIRST_REST);
    }

    #[test]
    fn what_does_not_come_again_is_forgotten() {
        let (mut aside, now) = (SetAside::default(), Instant::now());
        aside.add(&lead(), now);
        aside.passed(now + FIRST_REST + MEMORY);
        assert!(aside.failed.is_empty());
    }
}
