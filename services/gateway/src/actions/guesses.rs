//! Counts tokens that were no use, so that nobody tries many.

use std::{collections::HashMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use reflex_runtime::clock::SharedClock;
use reflex_tenancy::TenantId;

/// Wrong tokens of a tenant within [`WINDOW`]; then the links of this tenant rest on this replica until it is over.
const MOST: u32 = 120;
const WINDOW: SignedDuration = SignedDuration::from_mins(1);
/// Tenants that are told apart; whoever invents more shares one count with all others.
const MAX_TENANTS: usize = 1_024;

/// Wrong tokens, by the tenant they name.
pub(super) struct Guesses {
    clock: SharedClock,
    counts: Mutex<HashMap<Option<TenantId>, Count>>,
}

struct Count {
    since: Timestamp,
    wrong: u32,
}

impl Count {
    fn is_over(&self, now: Timestamp) -> bool {
        // A clock that was set back makes no window last.
        !(SignedDuration::ZERO..WINDOW).contains(&now.duration_since(self.since))
    }
}

impl Guesses {
    pub(super) fn new(clock: SharedClock) -> Self {
        Self {
            clock,
            counts: Mutex::default(),
        }
    }

    /// Tells how long to wait where too many tokens were wrong.
    pub(super) fn check(&self, tenant: &TenantId) -> Result<(), Duration> {
        let now = self.clock.now();
        let counts = self.counts.lock();
        let own = Some(tenant.clone());
        let key = if counts.contains_key(&own) { own } else { None };
        match counts.get(&key) {
            Some(count) if !count.is_over(now) && count.wrong >= MOST => {
                Err(Duration::try_from(WINDOW - now.duration_since(count.since)).unwrap_or_default())
            }
            _ => Ok(()),
        }
    }

    /// Counts a wrong token.
    pub(super) fn count(&self, tenant: &TenantId) {
        let now = self.clock.now();
        let mut counts = self.counts.lock();
        let mut key = Some(tenant.clone());
        if !counts.contains_key(&key) && counts.len() >= MAX_TENANTS {
            counts.retain(|_, count| !count.is_over(now));
            if counts.len() >= MAX_TENANTS {
                key = None;
            }
        }
        let count = counts.entry(key).or_insert(Count { since: now, wrong: 0 });
        if count.is_over(now) {
            *count = Count { since: now, wrong: 0 };
        }
        count.wrong = count.wrong.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use reflex_runtime::clock::FixedClock;

    use super::*;

    fn guesses() -> (Guesses, Arc<FixedClock>) {
        let clock = Arc::new(FixedClock::new("2026-03-02T09:00:00+08:00".parse().unwrap()));
        (Guesses::new(clock.clone()), clock)
    }

    fn tenant(number: usize) -> TenantId {
        format!("tenant-{number}").parse().unwrap()
    }

    #[test]
    fn a_tenants_links_rest_after_many_wrong_ones() {
        let (guesses, clock) = guesses();
        for _ in 0..MOST {
            assert_eq!(guesses.check(&tenant(1)), Ok(()));
            guesses.count(&tenant(1));
        }
        clock.advance(SignedDuration::from_secs(20));
        assert_eq!(guesses.check(&tenant(1)), Err(Duration::from_secs(40)));
        assert_eq!(guesses.check(&tenant(2)), Ok(()), "others do not suffer");
        clock.advance(SignedDuration::from_secs(40));
        assert_eq!(guesses.check(&tenant(1)), Ok(()));
        guesses.count(&tenant(1));
        assert_eq!(guesses.check(&tenant(1)), Ok(()));
    }

    #[test]
    fn invented_tenants_fill_nothing() {
        let (guesses, clock) = guesses();
        for number in 0..3 * MAX_TENANTS {
            guesses.count(&tenant(number));
        }
        assert!(guesses.counts.lock().len() <= MAX_TENANTS + 1);
        assert!(guesses.check(&tenant(5 * MAX_TENANTS)).is_err(), "they share one count");
        assert_eq!(guesses.check(&tenant(0)), Ok(()));
        clock.advance(WINDOW);
        guesses.count(&tenant(5 * MAX_TENANTS));
        assert!(guesses.counts.lock().len() <= 2, "old counts go");
    }
}
