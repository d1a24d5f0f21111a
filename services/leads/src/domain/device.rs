//! Machines at customers, and how many years they have served.

use jiff::{ToSpan as _, civil::Date};

use super::{
    customer::date,
    ids::DeviceId,
    violation::{Violation, Violations},
};

/// A machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its id.
    pub id: DeviceId,
    /// Its model.
    pub model: String,
    /// Its serial number; empty while it is not known.
    pub serial: String,
    /// When it was installed.
    pub installed: Option<Date>,
}

impl Device {
    /// Checks what was sent: name, model, serial number, day of the installation.
    ///
    /// # Errors
    /// Returns everything that is wrong with it.
    pub fn parse([name, model, serial, install_date]: [&str; 4]) -> Result<Self, Vec<Violation>> {
        let mut violations = Violations::default();
        let id = violations.name("device.name", name);
        let model = violations.line("device.model", model, 1..=100);
        let serial = violations.line("device.serial", serial, 0..=100);
        let installed = date(&mut violations, "device.install_date", install_date);
        match id {
            Some(id) if violations.is_empty() => Ok(Self {
                id,
                model,
                serial,
                installed,
            }),
            _ => Err(violations.into_vec()),
        }
    }
}

/// Returns the years a device has served on a day: the full years, and of the year under way the days that are over by all its
/// days.
///
/// With `a(n)` the n-th anniversary of the installation, and `n` the greatest with `a(n) ≤ day`:
/// `years = n + (day − a(n)) ÷ (a(n + 1) − a(n))`. The anniversary of 29 February is in common years the 28th, the last day of
/// the same month. So the number is whole on each anniversary and grows each day. It is 0 before the installation.
#[must_use]
pub fn service_years(installed: Date, day: Date) -> f64 {
    if day < installed {
        return 0.0;
    }
    let anniversary = |years: i16| installed.saturating_add(i64::from(years).years());
    let mut years = day.year() - installed.year();
    if anniversary(years) > day {
        years -= 1;
    }
    let (last, next) = (anniversary(years), anniversary(years + 1));
    let days = |from: Date, to: Date| f64::from((to - from).get_days());
    f64::from(years) + days(last, day) / days(last, next)
}

#[cfg(test)]
mod tests {
    use jiff::civil;
    use proptest::prelude::*;

    use super::*;

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "whole numbers and quotients of small ones are exact")]
    fn years_are_whole_on_the_anniversary() {
        for (installed, today, expected) in [
            ("2021-03-02", "2026-03-02", 5.0),
            ("2021-03-02", "2026-03-01", 4.0 + 364.0 / 365.0),
            ("2021-03-02", "2026-03-03", 5.0 + 1.0 / 365.0),
            ("2021-03-02", "2021-03-02", 0.0),
            ("2021-03-02", "2021-03-01", 0.0),
            ("2021-03-02", "1999-01-01", 0.0),
            ("2023-03-01", "2024-02-29", 365.0 / 366.0),
            ("2023-12-31", "2024-12-31", 1.0),
            // The day that most years do not have.
            ("2024-02-29", "2025-02-27", 364.0 / 365.0),
            ("2024-02-29", "2025-02-28", 1.0),
            ("2024-02-29", "2025-03-01", 1.0 + 1.0 / 365.0),
            ("2024-02-29", "2028-02-28", 3.0 + 365.0 / 366.0),
            ("2024-02-29", "2028-02-29", 4.0),
            ("2000-02-29", "2100-02-28", 100.0),
            ("1996-02-29", "2026-02-28", 30.0),
        ] {
            assert_eq!(
                service_years(day(installed), day(today)),
                expected,
                "{installed} on {today}"
            );
        }
    }

    #[test]
    fn devices_are_checked() {
        let good = ["devices/p-1", " 锻造压力机 ", "", "2021-03-02"];
        assert_eq!(Device::parse(good).unwrap().model, "锻造压力机");
        for (at, wrong) in ["machines/x", "", "a\0", "2021-3-2"].into_iter().enumerate() {
            let mut sent = good;
            sent[at] = wrong;
            assert_eq!(Device::parse(sent).unwrap_err().len(), 1, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn years_grow_each_day(start in 0..70_000_i32, later in 0..20_000_i32) {
            let installed = civil::date(1950, 1, 1).saturating_add(start.days());
            let on = |days: i32| service_years(installed, installed.saturating_add(days.days()));
            prop_assert!(on(later) < on(later + 1));
            prop_assert!((on(later + 366) - on(later) - 1.0).abs() < 0.01);
        }
    }
}
