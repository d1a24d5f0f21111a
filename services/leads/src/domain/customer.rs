//! Customers: the flow each follows, how old what is known of it is, and what is missing.

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use reflex_matching::credit_code;

use super::{
    ids::AccountId,
    violation::{Violation, Violations},
};

/// A customer as people put it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// Its account.
    pub id: AccountId,
    /// Name people read.
    pub display_name: String,
    /// Unified social credit code, checked.
    pub credit_code: Option<String>,
    /// Code of its industry, and the version that the code is of; none for the newest one.
    pub industry: Option<(String, Option<i32>)>,
    /// Since when it is a customer.
    pub since: Option<Date>,
}

/// A customer as it was sent.
#[derive(Debug, Clone, Default)]
pub struct RawCustomer {
    /// Resource name of the account.
    pub name: String,
    /// Name people read.
    pub display_name: String,
    /// Unified social credit code.
    pub credit_code: String,
    /// Code of its industry.
    pub industry: String,
    /// Version of the industry; 0 for the newest one.
    pub industry_version: i32,
    /// Since when it is a customer.
    pub since_date: String,
}

impl Customer {
    /// Checks what was sent.
    ///
    /// # Errors
    /// Returns everything that is wrong with it.
    pub fn parse(raw: &RawCustomer) -> Result<Self, Vec<Violation>> {
        let mut violations = Violations::default();
        let id = violations.name("customer.name", &raw.name);
        let display_name = violations.line("customer.display_name", &raw.display_name, 1..=300);
        let code = match raw.credit_code.trim() {
            "" => None,
            text => {
                let code = credit_code::parse(text);
                if code.is_none() {
                    let wrong = "必须是 18 位且校验码正确 / must have 18 signs, the last of which checks the others";
                    violations.add("customer.credit_code", wrong);
                }
                code
            }
        };
        let industry = violations.line("customer.industry", &raw.industry, 0..=32);
        let version = violations.number("customer.industry_version", raw.industry_version, 0..=i32::MAX);
        let since = date(&mut violations, "customer.since_date", &raw.since_date);
        match id {
            Some(id) if violations.is_empty() => Ok(Self {
                id,
                display_name,
                credit_code: code,
                industry: (!industry.is_empty()).then(|| (industry, (version > 0).then_some(version))),
                since,
            }),
            _ => Err(violations.into_vec()),
        }
    }
}

/// Which flow a customer follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Track {
    /// Everything is asked for.
    Full,
    /// Taken over when somebody needs it.
    Lazy,
}

/// How old what is known of a customer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Changed lately.
    Fresh,
    /// Between the two.
    Ageing,
    /// Not changed for long.
    Stale,
}

/// From when customers follow the full flow, and how old knowledge may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerPolicy {
    /// The first day of the full flow.
    pub cutover: Option<Date>,
    /// Days within which a change keeps a customer fresh.
    pub fresh_days: i32,
    /// Days after which one without a change is stale.
    pub stale_days: i32,
}

impl Default for CustomerPolicy {
    fn default() -> Self {
        Self {
            cutover: None,
            fresh_days: 30,
            stale_days: 180,
        }
    }
}

impl CustomerPolicy {
    /// Checks what was sent; 0 days mean the default.
    ///
    /// # Errors
    /// Returns everything that is wrong with it.
    pub fn parse(cutover_date: &str, fresh_days: i32, stale_days: i32) -> Result<Self, Vec<Violation>> {
        let mut violations = Violations::default();
        let default = Self::default();
        let or = |days: i32, default: i32| if days == 0 { default } else { days };
        let cutover = date(&mut violations, "policy.cutover_date", cutover_date);
        let fresh_days = violations.number("policy.fresh_days", or(fresh_days, default.fresh_days), 1..=3_650);
        let stale_days = or(stale_days, default.stale_days);
        violations.number("policy.stale_days", stale_days, fresh_days.saturating_add(1)..=36_500);
        if violations.is_empty() {
            Ok(Self {
                cutover,
                fresh_days,
                stale_days,
            })
        } else {
            Err(violations.into_vec())
        }
    }

    /// Returns the flow of whoever is a customer since a day.
    #[must_use]
    pub fn track(&self, since: Date) -> Track {
        match self.cutover {
            Some(cutover) if since < cutover => Track::Lazy,
            _ => Track::Full,
        }
    }

    /// Returns how old a change is by now.
    #[must_use]
    pub fn freshness(&self, change: Timestamp, now: Timestamp) -> Freshness {
        let age = now.duration_since(change);
        let days = |days: i32| SignedDuration::from_hours(24) * days;
        if age <= days(self.fresh_days) {
            Freshness::Fresh
        } else if age < days(self.stale_days) {
            Freshness::Ageing
        } else {
            Freshness::Stale
        }
    }
}

/// Reads a day that may be empty.
pub fn date(violations: &mut Violations, field: &str, text: &str) -> Option<Date> {
    if text.is_empty() {
        return None;
    }
    let parsed: Option<Date> = text.parse().ok();
    // Printing it again refuses other spellings of dates.
    let date = parsed.filter(|date| date.to_string() == text && (1900..=2199).contains(&date.year()));
    if date.is_none() {
        violations.add(field, "must be a day such as \"2026-03-02\", between 1900 and 2199");
    }
    date
}

/// Returns the day of an instant.
#[must_use]
pub fn day_of(at: Timestamp, zone: &TimeZone) -> Date {
    at.to_zoned(zone.clone()).date()
}

#[cfg(test)]
mod tests {
    use jiff::civil;

    use super::*;

    fn raw() -> RawCustomer {
        RawCustomer {
            name: "accounts/一院".into(),
            display_name: "一院".into(),
            credit_code: "9135 0100-m000 100y43".into(),
            industry: "C36".into(),
            since_date: "2024-02-29".into(),
            ..RawCustomer::default()
        }
    }

    #[test]
    fn customers_are_checked() {
        let customer = Customer::parse(&raw()).unwrap();
        assert_eq!(customer.credit_code.as_deref(), Some("91350100M000100Y43"));
        assert_eq!(customer.industry, Some(("C36".into(), None)));
        assert_eq!(customer.since, Some(civil::date(2024, 2, 29)));
        for (wrong, field) in [
            (
                RawCustomer {
                    name: "customers/x".into(),
                    ..raw()
                },
                "customer.name",
            ),
            (
                RawCustomer {
                    display_name: " ".into(),
                    ..raw()
                },
                "customer.display_name",
            ),
            (
                RawCustomer {
                    credit_code: "91350100M000100Y44".into(),
                    ..raw()
                },
                "customer.credit_code",
            ),
            (
                RawCustomer {
                    industry_version: -1,
                    ..raw()
                },
                "customer.industry_version",
            ),
            (
                RawCustomer {
                    since_date: "2025-02-29".into(),
                    ..raw()
                },
                "customer.since_date",
            ),
            (
                RawCustomer {
                    since_date: "1899-12-31".into(),
                    ..raw()
                },
                "customer.since_date",
            ),
            (
                RawCustomer {
                    since_date: "20250201".into(),
                    ..raw()
                },
                "customer.since_date",
            ),
        ] {
            assert_eq!(Customer::parse(&wrong).unwrap_err()[0].field, field);
        }
    }

    #[test]
    fn the_cutover_parts_the_tracks_on_its_day() {
        let policy = CustomerPolicy::parse("2026-01-01", 0, 0).unwrap();
        assert_eq!((policy.fresh_days, policy.stale_days), (30, 180));
        assert_eq!(policy.track(civil::date(2025, 12, 31)), Track::Lazy);
        assert_eq!(policy.track(civil::date(2026, 1, 1)), Track::Full);
        assert_eq!(CustomerPolicy::default().track(civil::date(1900, 1, 1)), Track::Full);
        for (cutover, fresh, stale) in [
            ("x", 0, 0),
            ("", -1, 0),
            ("", 3_651, 0),
            ("", 30, 30),
            ("", 200, 0),
            ("", 1, 40_000),
        ] {
            assert!(
                CustomerPolicy::parse(cutover, fresh, stale).is_err(),
                "{cutover} {fresh} {stale}"
            );
        }
    }

    #[test]
    fn knowledge_ages_by_the_second() {
        let policy = CustomerPolicy::parse("", 1, 2).unwrap();
        let change = Timestamp::from_second(1_000_000).unwrap();
        for (seconds, expected) in [
            (-5, Freshness::Fresh),
            (86_400, Freshness::Fresh),
            (86_401, Freshness::Ageing),
            (172_799, Freshness::Ageing),
            (172_800, Freshness::Stale),
        ] {
            let now = change + SignedDuration::from_secs(seconds);
            assert_eq!(policy.freshness(change, now), expected, "{seconds}");
        }
    }
}
