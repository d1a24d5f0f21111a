//! What the leads of each channel cost and came to.
//!
//! - An *effective follow-up* is a call or visit within 7 × 24 hours of the capture. Messages do not count, and neither does
//!   when somebody came to record it. Only leads whose seven days are over are asked; the others are counted apart.
//! - *Cost per effectively followed lead* is cost per lead ÷ share of leads followed up effectively.
//! - *Blended* figures are those of the sums, never means of means.
//!
//! Sums are exact; what is divided is rounded half up, once, where it is shown.

use std::collections::BTreeMap;

use super::{channel_cost::ChannelCost, month::Period};

mod file;

pub use file::write_file;

/// Channels a report lists one by one, beside those that have costs.
pub const MAX_CHANNELS: i64 = 500;

/// What leads came to, of a channel or together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Leads captured.
    pub leads: i64,
    /// Leads whose seven days are over.
    pub due: i64,
    /// How many of these were followed up effectively.
    pub followed: i64,
    /// Leads whose seven days are not over and who were called or visited.
    pub open_followed: i64,
    /// Leads with a first order or closed as converted.
    pub converted: i64,
    /// Leads with a first order.
    pub orders: i64,
    /// Seconds from the capture to the first order, of all of these.
    pub order_seconds: i64,
    /// What the first orders are worth.
    pub revenue_fen: i64,
    /// What is borne by the period.
    pub cost_fen: i64,
}

/// The figures of a channel; without a name, of the smaller ones together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Its name.
    pub source: Option<String>,
    /// Its figures.
    pub figures: Figures,
}

/// A report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The months it is about.
    pub period: Period,
    /// Those with most leads first, the smaller ones together last.
    pub channels: Vec<Channel>,
    /// All together.
    pub total: Figures,
}

impl Report {
    /// Puts what leads came to together with what was paid.
    #[must_use]
    pub fn new(period: Period, counted: Vec<Channel>, costs: &[ChannelCost]) -> Self {
        let mut by_source: BTreeMap<Option<String>, Figures> = BTreeMap::new();
        for channel in counted {
            by_source.entry(channel.source).or_default().add(&channel.figures);
        }
        for cost in costs {
            let share = cost.share(period);
            if share > 0 {
                by_source.entry(Some(cost.source.clone())).or_default().cost_fen += share;
            }
        }
        let mut total = Figures::default();
        for figures in by_source.values() {
            total.add(figures);
        }
        let channels = by_source.into_iter();
        let mut channels: Vec<Channel> = channels.map(|(source, figures)| Channel { source, figures }).collect();
        channels.sort_by_key(|channel| (channel.source.is_none(), std::cmp::Reverse(channel.figures.leads)));
        Self {
            period,
            channels,
            total,
        }
    }
}

impl Figures {
    fn add(&mut self, other: &Self) {
        let sums = [
            (&mut self.leads, other.leads),
            (&mut self.due, other.due),
            (&mut self.followed, other.followed),
            (&mut self.open_followed, other.open_followed),
            (&mut self.converted, other.converted),
            (&mut self.orders, other.orders),
            (&mut self.order_seconds, other.order_seconds),
            (&mut self.revenue_fen, other.revenue_fen),
            (&mut self.cost_fen, other.cost_fen),
        ];
        for (sum, more) in sums {
            *sum = sum.saturating_add(more);
        }
    }

    /// Returns how many leads' seven days are not over.
    #[must_use]
    pub fn open(&self) -> i64 {
        self.leads - self.due
    }

    /// Returns the leads of a month.
    #[must_use]
    pub fn leads_per_month(&self, period: Period) -> i64 {
        ratio(self.leads.into(), period.months().into()).unwrap_or_default()
    }

    /// Returns what a lead costs.
    #[must_use]
    pub fn cost_per_lead(&self) -> Option<i64> {
        ratio(self.cost_fen.into(), self.leads.into())
    }

    /// Returns the share of leads that were followed up effectively, in tenths of a percent.
    #[must_use]
    pub fn follow_up_permille(&self) -> Option<i64> {
        ratio(i128::from(self.followed) * 1000, self.due.into())
    }

    /// Returns what an effectively followed lead costs.
    #[must_use]
    pub fn cost_per_followed_lead(&self) -> Option<i64> {
        let (cost, leads) = (i128::from(self.cost_fen), i128::from(self.leads));
        ratio(cost * i128::from(self.due), leads * i128::from(self.followed))
    }

    /// Returns the share of leads that were converted, in tenths of a percent.
    #[must_use]
    pub fn conversion_permille(&self) -> Option<i64> {
        ratio(i128::from(self.converted) * 1000, self.leads.into())
    }

    /// Returns the average time from the capture to the first order, in seconds.
    #[must_use]
    pub fn first_order_seconds(&self) -> Option<i64> {
        ratio(self.order_seconds.into(), self.orders.into())
    }
}

/// Divides what is not negative, rounded half up; none by nothing.
fn ratio(number: i128, by: i128) -> Option<i64> {
    (by > 0).then(|| i64::try_from((2 * number + by) / (2 * by)).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::channel_cost::RawChannelCost;

    fn period() -> Period {
        let month = "2026-11".parse().unwrap();
        Period {
            first: month,
            last: month,
        }
    }

    fn cost(source: &str, amount_fen: i64) -> ChannelCost {
        let raw = RawChannelCost {
            name: "channelCosts/x".into(),
            source: source.into(),
            amount_fen,
            first_month: "2026-11".into(),
            ..RawChannelCost::default()
        };
        ChannelCost::parse(&raw).unwrap()
    }

    #[test]
    fn what_is_divided_is_rounded_half_up_and_never_by_nothing() {
        for (number, by, expected) in [
            (1, 2, Some(1)),
            (1, 3, Some(0)),
            (2, 3, Some(1)),
            (0, 7, Some(0)),
            (1, 0, None),
            (i128::from(i64::MAX) * 4, 1, Some(i64::MAX)),
        ] {
            assert_eq!(ratio(number, by), expected, "{number} / {by}");
        }
        let nothing = Figures::default();
        assert_eq!(
            (
                nothing.cost_per_lead(),
                nothing.follow_up_permille(),
                nothing.cost_per_followed_lead()
            ),
            (None, None, None)
        );
        let free = Figures {
            leads: 31,
            due: 31,
            followed: 31,
            ..nothing
        };
        assert_eq!(free.cost_per_followed_lead(), Some(0));
    }

    #[test]
    fn leads_whose_days_are_not_over_do_not_lower_the_share() {
        let figures = Figures {
            leads: 10,
            due: 4,
            followed: 3,
            open_followed: 2,
            cost_fen: 1_000,
            ..Figures::default()
        };
        assert_eq!((figures.open(), figures.follow_up_permille()), (6, Some(750)));
        assert_eq!(
            figures.cost_per_followed_lead(),
            Some(133),
            "100 a lead by three quarters"
        );
    }

    #[test]
    fn costs_without_leads_and_leads_without_costs_are_listed() {
        let counted = |source: Option<&str>, leads| Channel {
            source: source.map(str::to_owned),
            figures: Figures {
                leads,
                ..Figures::default()
            },
        };
        let report = Report::new(
            period(),
            vec![counted(None, 99), counted(Some("a"), 1), counted(Some("b"), 2)],
            &[cost("b", 5), cost("b", 6), cost("c", 7), cost("d", 0)],
        );
        let shown = report.channels.iter();
        let shown: Vec<_> = shown
            .map(|it| (it.source.as_deref(), it.figures.leads, it.figures.cost_fen))
            .collect();
        assert_eq!(
            shown,
            [(Some("b"), 2, 11), (Some("a"), 1, 0), (Some("c"), 0, 7), (None, 99, 0)]
        );
        assert_eq!((report.total.leads, report.total.cost_fen), (102, 18));
    }
}
