//! What corrections teach about the weights of reasons.
//!
//! For a reason that was found in `i` leads that people called invalid and in `v` that they called valid, of `I` and `V` in all,
//! the likelihood ratio, smoothed as if one lead of each kind had been seen with and one without the reason, is
//! `ln(((i + 1) / (I + 2)) / ((v + 1) / (V + 2)))`. The weight goes from the shipped one to that one as corrections come: with
//! `n = i + v` of them, `(K · shipped + n · ratio) / (K + n)`, `K = 20`, and never further than [`FURTHEST`] from the shipped one,
//! so that a handful of mistakes does not turn the rules around.

use std::collections::HashMap;

use crate::Reason;

/// Corrections of a reason that count as much as what is shipped.
const SHIPPED: f64 = 20.0;
/// How far corrections move a weight at most, in nats.
const FURTHEST: f64 = 4.0;

/// How often a reason was found in leads that people judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// In those they called invalid.
    pub invalid: u32,
    /// In those they called valid.
    pub valid: u32,
}

/// What corrections taught; nothing by default.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Learned {
    all: Counts,
    by_reason: HashMap<Reason, Counts>,
}

impl Learned {
    /// Puts counts together: of all leads that were judged, and of those with each reason.
    #[must_use]
    pub fn new(all: Counts, by_reason: HashMap<Reason, Counts>) -> Self {
        Self { all, by_reason }
    }

    /// Adds a lead that somebody judged, and what was found about it.
    pub fn add(&mut self, is_invalid: bool, reasons: impl IntoIterator<Item = Reason>) {
        let count = |counts: &mut Counts| {
            if is_invalid {
                counts.invalid += 1;
            } else {
                counts.valid += 1;
            }
        };
        count(&mut self.all);
        for reason in reasons {
            count(self.by_reason.entry(reason).or_default());
        }
    }

    /// Returns how many leads people judged.
    #[must_use]
    pub fn corrections(&self) -> u32 {
        self.all.invalid.saturating_add(self.all.valid)
    }

    /// Returns how often a reason was found in them.
    #[must_use]
    pub fn counts(&self, reason: Reason) -> Counts {
        self.by_reason.get(&reason).copied().unwrap_or_default()
    }

    /// Returns the weight of a reason.
    #[must_use]
    pub fn weight(&self, reason: Reason) -> f64 {
        let shipped = reason.weight();
        let Some(counts) = self.by_reason.get(&reason) else {
            return shipped;
        };
        let share = |found: u32, all: u32| (f64::from(found) + 1.0) / (f64::from(all.max(found)) + 2.0);
        let ratio = share(counts.invalid, self.all.invalid) / share(counts.valid, self.all.valid);
        let seen = f64::from(counts.invalid) + f64::from(counts.valid);
        let weight = (SHIPPED * shipped + seen * ratio.ln()) / (SHIPPED + seen);
        weight.clamp(shipped - FURTHEST, shipped + FURTHEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_move_with_corrections_but_not_at_once_nor_without_end() {
        let mut learned = Learned::default();
        let shipped = Reason::ContactPlaceholder.weight();
        assert!((learned.weight(Reason::ContactPlaceholder) - shipped).abs() < 1e-9);
        learned.add(false, [Reason::ContactPlaceholder]);
        let after_one = learned.weight(Reason::ContactPlaceholder);
        assert!(after_one < shipped && after_one > shipped - 0.5, "{after_one}");
        for _ in 0..10_000 {
            learned.add(false, [Reason::ContactPlaceholder]);
            learned.add(true, [Reason::PhoneMadeUp]);
        }
        let after_many = learned.weight(Reason::ContactPlaceholder);
        assert!((after_many - (shipped - FURTHEST)).abs() < 1e-9, "{after_many}");
        assert!(learned.weight(Reason::PhoneMadeUp) > Reason::PhoneMadeUp.weight());
        assert!((learned.weight(Reason::Honeypot) - Reason::Honeypot.weight()).abs() < 1e-9);
    }
}
