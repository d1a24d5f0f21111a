//! Who decides at a customer, and whom of them the salesperson has reached.

use std::time::Duration;

use jiff::Timestamp;
use reflex_calendar::{CalendarError, WorkingCalendar};
use serde::{Deserialize, Serialize};

use super::violation::{Violation, Violations};

const MAX_ROLES: usize = 20;
const DEFAULT_ROLES: [&str; 4] = ["采购经理", "使用工程师", "财务总监", "老板"];
const DEFAULT_WITHIN: Duration = Duration::from_hours(24);
const SHORTEST: Duration = Duration::from_mins(1);
const LONGEST: Duration = Duration::from_hours(90 * 24);

/// Which roles have to be reached by when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionMapPolicy {
    /// Whether first contacts begin maps.
    pub enabled: bool,
    /// Time from the first contact.
    pub within: Duration,
    /// Whether it is working time.
    pub working_time: bool,
    /// The roles.
    pub roles: Vec<String>,
}

impl DecisionMapPolicy {
    /// Checks what was sent; no time and no roles mean the usual ones.
    ///
    /// # Errors
    /// Returns everything that is wrong with it.
    pub fn parse(mut self) -> Result<Self, Vec<Violation>> {
        let mut violations = Violations::default();
        if self.within.is_zero() {
            self.within = DEFAULT_WITHIN;
        }
        if self.within < SHORTEST || self.within > LONGEST {
            violations.add("policy.within", "must be 1 minute to 90 days");
        }
        if self.roles.is_empty() {
            self.roles = DEFAULT_ROLES.map(str::to_owned).to_vec();
        }
        if self.roles.len() > MAX_ROLES {
            violations.add("policy.roles", format!("must be at most {MAX_ROLES}"));
            return Err(violations.into_vec());
        }
        let mut roles: Vec<String> = Vec::new();
        for (at, role) in self.roles.iter().enumerate() {
            let field = format!("policy.roles[{at}]");
            let role = violations.line(&field, role, 1..=40);
            if roles.contains(&role) {
                violations.add(field, "is there twice");
            }
            roles.push(role);
        }
        self.roles = roles;
        if violations.is_empty() {
            Ok(self)
        } else {
            Err(violations.into_vec())
        }
    }

    /// Returns by when the roles have to be reached after a first contact, by the calendar of whoever made it.
    ///
    /// # Errors
    /// When the calendar has not enough open time in the decades to come.
    pub fn due(&self, contact: Timestamp, calendar: &WorkingCalendar) -> Result<Timestamp, CalendarError> {
        if self.working_time {
            return Ok(calendar.add(contact, self.within)?.at);
        }
        Ok(contact.checked_add(self.within).unwrap_or(Timestamp::MAX))
    }
}

/// Somebody who was reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reached {
    /// Their role.
    pub role: String,
    /// Who it is.
    pub person: String,
    /// What was said.
    pub minutes: String,
    /// Where the minutes are.
    pub minutes_url: String,
}

impl Reached {
    /// Checks what was sent; `roles` are those of the map.
    ///
    /// # Errors
    /// Returns everything that is wrong with it.
    pub fn parse(&self, roles: &[String]) -> Result<Self, Vec<Violation>> {
        let mut violations = Violations::default();
        let reached = Self {
            role: violations.line("role.role", &self.role, 1..=40),
            person: violations.line("role.person", &self.person, 1..=100),
            minutes: violations.text("role.minutes", &self.minutes, 0..=4_000),
            minutes_url: violations.line("role.minutes_url", &self.minutes_url, 0..=500),
        };
        if !roles.contains(&reached.role) {
            violations.add("role.role", format!("must be one of {}", roles.join(", ")));
        }
        let address = &reached.minutes_url;
        let is_web = ["https://", "http://"].iter().any(|start| address.starts_with(start));
        if !address.is_empty() && (!is_web || address.contains(char::is_whitespace)) {
            violations.add("role.minutes_url", "must be an https or http address");
        }
        if violations.is_empty() {
            Ok(reached)
        } else {
            Err(violations.into_vec())
        }
    }

    /// Tells whether there are minutes.
    #[must_use]
    pub fn has_minutes(&self) -> bool {
        !self.minutes.is_empty() || !self.minutes_url.is_empty()
    }
}

/// Returns the roles that were not reached, or have no minutes, in their order.
#[must_use]
pub fn missing(roles: &[String], reached: &[Reached]) -> Vec<String> {
    let is_done = |role: &String| reached.iter().any(|it| it.role == *role && it.has_minutes());
    roles.iter().filter(|role| !is_done(role)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use reflex_calendar::CalendarSpec;

    use super::*;

    fn policy(within: Duration, roles: &[&str]) -> DecisionMapPolicy {
        DecisionMapPolicy {
            enabled: true,
            within,
            working_time: false,
            roles: roles.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn policies_are_checked() {
        let usual = policy(Duration::ZERO, &[]).parse().unwrap();
        assert_eq!((usual.within, usual.roles.len()), (DEFAULT_WITHIN, 4));
        let many: Vec<String> = (0..21).map(|at| at.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        for (wrong, field) in [
            (policy(Duration::from_secs(59), &[]), "policy.within"),
            (policy(Duration::from_hours(91 * 24), &[]), "policy.within"),
            (policy(Duration::ZERO, &["老板", " 老板 "]), "policy.roles[1]"),
            (policy(Duration::ZERO, &[""]), "policy.roles[0]"),
            (policy(Duration::ZERO, &many), "policy.roles"),
        ] {
            assert_eq!(wrong.parse().unwrap_err()[0].field, field);
        }
    }

    #[test]
    fn the_time_is_by_the_clock_or_of_work() {
        let spec = "{time_zone: Asia/Shanghai, days: [Mon-Fri], windows: [['09:00', '17:00']]}";
        let calendar = WorkingCalendar::new(&CalendarSpec::parse(spec).unwrap(), None).unwrap();
        let at = |text: &str| -> Timestamp { text.parse().unwrap() };
        // A Friday afternoon.
        let contact = at("2026-03-06T16:00:00+08:00");
        let wall = policy(Duration::ZERO, &[]).parse().unwrap();
        assert_eq!(wall.due(contact, &calendar).unwrap(), at("2026-03-07T16:00:00+08:00"));
        let working = DecisionMapPolicy {
            working_time: true,
            ..wall
        };
        assert_eq!(
            working.due(contact, &calendar).unwrap(),
            at("2026-03-11T16:00:00+08:00")
        );
    }

    #[test]
    fn a_role_counts_with_minutes() {
        let roles: Vec<String> = ["采购经理", "老板"].map(str::to_owned).to_vec();
        let reached = |role: &str, minutes: &str, minutes_url: &str| Reached {
            role: role.into(),
            person: "王总".into(),
            minutes: minutes.into(),
            minutes_url: minutes_url.into(),
        };
        assert_eq!(missing(&roles, &[reached("老板", "", "")]), roles);
        assert_eq!(missing(&roles, &[reached("老板", "同意试用", "")]), ["采购经理"]);
        assert!(
            missing(
                &roles,
                &[reached("老板", "x", ""), reached("采购经理", "", "https://x")]
            )
            .is_empty()
        );
        assert!(reached("老板", "", "https://x/y").parse(&roles).is_ok());
        for (wrong, field) in [
            (reached("司机", "x", ""), "role.role"),
            (reached("老板", "", "ftp://x"), "role.minutes_url"),
            (reached("老板", "", "https://x y"), "role.minutes_url"),
            (reached("老板", &"x".repeat(4_001), ""), "role.minutes"),
        ] {
            assert_eq!(wrong.parse(&roles).unwrap_err()[0].field, field);
        }
    }
}
