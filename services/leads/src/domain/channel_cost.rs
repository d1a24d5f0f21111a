//! What is paid for a channel, and which month bears how much of it.

use super::{
    ids::ChannelCostId,
    month::{MAX_MONTHS, Month, Period},
    violation::{Violation, Violations},
};

/// Most costs of a tenant.
pub const MAX_COSTS: usize = 5_000;
/// Most fen of one amount: sums of a million of them fit.
pub const MAX_FEN: i64 = 1_000_000_000_000;

/// Something paid for a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelCost {
    /// Its id.
    pub id: ChannelCostId,
    /// The channel, as leads carry it.
    pub source: String,
    /// What was paid for.
    pub title: String,
    /// How much.
    pub amount_fen: i64,
    /// First month that bears it.
    pub first_month: Month,
    /// How many months bear it.
    pub month_count: i32,
}

/// A cost as it was sent.
#[derive(Debug, Clone, Default)]
pub struct RawChannelCost {
    /// Resource name.
    pub name: String,
    /// The channel.
    pub source: String,
    /// What was paid for.
    pub title: String,
    /// How much.
    pub amount_fen: i64,
    /// First month, `2026-11`.
    pub first_month: String,
    /// How many months; 0 for one.
    pub month_count: i32,
}

impl ChannelCost {
    /// Checks what was sent.
    ///
    /// # Errors
    /// Returns everything that is wrong with it.
    pub fn parse(raw: &RawChannelCost) -> Result<Self, Vec<Violation>> {
        let mut violations = Violations::default();
        let id = violations.name("channel_cost.name", &raw.name);
        let source = violations.line("channel_cost.source", &raw.source, 1..=64);
        let title = violations.line("channel_cost.title", &raw.title, 0..=100);
        let amount_fen = violations.number("channel_cost.amount_fen", raw.amount_fen, 0..=MAX_FEN);
        let first_month = month(&mut violations, "channel_cost.first_month", &raw.first_month);
        let month_count = violations.number("channel_cost.month_count", raw.month_count, 0..=MAX_MONTHS);
        match (id, first_month) {
            (Some(id), Some(first_month)) if violations.is_empty() => Ok(Self {
                id,
                source,
                title,
                amount_fen,
                first_month,
                month_count: month_count.max(1),
            }),
            _ => Err(violations.into_vec()),
        }
    }

    /// Returns what the months of a period bear of it.
    ///
    /// Each month bears the whole fen of an equal share. The fen that are left have equal remainders, so the largest-remainder
    /// method gives them to the first months, one each: the shares of all months are the amount.
    #[must_use]
    pub fn share(&self, period: Period) -> i64 {
        let months = i64::from(self.month_count);
        let (each, left) = (self.amount_fen / months, self.amount_fen % months);
        let place = |month: i32| i64::from(month - self.first_month.number()).clamp(0, months);
        let (from, until) = (place(period.first.number()), place(period.last.number() + 1));
        each * (until - from) + until.min(left) - from.min(left)
    }
}

/// Reads a month that must be there.
pub fn month(violations: &mut Violations, field: &str, text: &str) -> Option<Month> {
    text.parse()
        .map_err(|error: super::month::InvalidMonth| violations.add(field, error.to_string()))
        .ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cost(amount_fen: i64, month_count: i32) -> RawChannelCost {
        RawChannelCost {
            name: "channelCosts/booth".into(),
            source: "展会".into(),
            title: "展位摊销".into(),
            amount_fen,
            first_month: "2026-01".into(),
            month_count,
        }
    }

    fn period(first: &str, last: &str) -> Period {
        Period {
            first: first.parse().unwrap(),
            last: last.parse().unwrap(),
        }
    }

    #[test]
    fn costs_are_checked() {
        assert_eq!(ChannelCost::parse(&cost(0, 0)).unwrap().month_count, 1);
        for (raw, field) in [
            (cost(-1, 1), "channel_cost.amount_fen"),
            (cost(MAX_FEN + 1, 1), "channel_cost.amount_fen"),
            (cost(1, 121), "channel_cost.month_count"),
            (cost(1, -1), "channel_cost.month_count"),
            (
                RawChannelCost {
                    source: " ".into(),
                    ..cost(1, 1)
                },
                "channel_cost.source",
            ),
            (
                RawChannelCost {
                    first_month: "2026".into(),
                    ..cost(1, 1)
                },
                "channel_cost.first_month",
            ),
            (
                RawChannelCost {
                    name: "costs/x".into(),
                    ..cost(1, 1)
                },
                "channel_cost.name",
            ),
        ] {
            assert_eq!(ChannelCost::parse(&raw).unwrap_err()[0].field, field);
        }
    }

    #[test]
    fn a_booth_is_borne_month_by_month() {
        let booth = ChannelCost::parse(&cost(100_000, 3)).unwrap();
        for (first, last, expected) in [
            ("2025-12", "2025-12", 0),
            ("2026-01", "2026-01", 33_334),
            ("2026-02", "2026-02", 33_333),
            ("2026-03", "2026-03", 33_333),
            ("2026-04", "2026-12", 0),
            ("2026-02", "2026-03", 66_666),
            ("2020-01", "2029-12", 100_000),
        ] {
            assert_eq!(booth.share(period(first, last)), expected, "{first} to {last}");
        }
    }

    proptest! {
        #[test]
        fn shares_are_the_amount_and_nearly_equal(amount in 0..=MAX_FEN, months in 1..=MAX_MONTHS, cut in 0..MAX_MONTHS) {
            let cost = ChannelCost::parse(&cost(amount, months)).unwrap();
            let first = cost.first_month.number();
            let share = |from: i32, to: i32| cost.share(Period { first: Month::of_number(from), last: Month::of_number(to) });
            let shares: Vec<i64> = (first..first + months).map(|month| share(month, month)).collect();
            prop_assert_eq!(shares.iter().sum::<i64>(), amount);
            let (least, most) = (shares.iter().min().unwrap(), shares.iter().max().unwrap());
            prop_assert!(most - least <= 1);
            // Periods that follow each other bear what both together do.
            let cut = first + cut;
            prop_assert_eq!(share(first - 5, cut) + share(cut + 1, first + 130), amount);
        }
    }
}
