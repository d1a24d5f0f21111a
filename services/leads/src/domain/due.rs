//! By when a lead must be claimed and called, and when each step of its ladder is due.

use std::time::Duration;

use jiff::Timestamp;
use reflex_calendar::{CalendarError, Due, WorkingCalendar};

use super::ladder::{Audience, Channel, Ladder};
use super::routing::PolicySpec;

/// The times of a lead's ladder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// By when the first contact must be recorded.
    pub contact_due: Timestamp,
    /// The steps, in order.
    pub steps: Vec<PlannedStep>,
    /// Whether a time rests on a year whose holidays are not published yet.
    pub provisional: bool,
}

/// A step of a ladder and when it is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedStep {
    /// From 1.
    pub number: i16,
    /// When it is due.
    pub due: Timestamp,
    /// Who is told.
    pub audience: Audience,
    /// Ways to tell them, in order of preference.
    pub channels: Vec<Channel>,
}

/// Plans a ladder whose clock starts at `start`, by the calendar of whoever is to call.
///
/// # Errors
/// Fails when the calendar has not enough open time in the decades after `start`.
pub fn plan(ladder: &Ladder, calendar: &WorkingCalendar, start: Timestamp) -> Result<Plan, CalendarError> {
    let contact = after(ladder.contact_within, ladder.wall_clock, calendar, start)?;
    let mut plan = Plan {
        contact_due: contact.at,
        steps: Vec::new(),
        provisional: contact.provisional,
    };
    let mut last = (Duration::ZERO, contact);
    for (number, step) in (1..).zip(&ladder.steps) {
        // Most ladders have several steps at one time; asking the calendar once is enough.
        if step.after != last.0 {
            last = (
                step.after,
                after(ladder.contact_within + step.after, ladder.wall_clock, calendar, start)?,
            );
        }
        let due = &last.1;
        plan.provisional |= due.provisional;
        plan.steps.push(PlannedStep {
            number,
            due: due.at,
            audience: step.audience,
            channels: step.channels.clone(),
        });
    }
    Ok(plan)
}

/// Returns by when a lead must be claimed that was assigned at `assigned_at`, by the owner's calendar.
///
/// # Errors
/// Fails when the calendar has not enough open time in the decades after `assigned_at`.
pub fn claim_due(
    policy: &PolicySpec,
    calendar: &WorkingCalendar,
    assigned_at: Timestamp,
) -> Result<Due, CalendarError> {
    after(policy.claim_within, policy.claim_wall_clock, calendar, assigned_at)
}

fn after(time: Duration, wall_clock: bool, calendar: &WorkingCalendar, start: Timestamp) -> Result<Due, CalendarError> {
    if !wall_clock {
        return calendar.add(start, time);
    }
    let at = start.checked_add(time).unwrap_or(Timestamp::MAX);
    Ok(Due { at, provisional: false })
}

#[cfg(test)]
mod tests {
    use reflex_calendar::CalendarSpec;

    use super::*;
    use crate::domain::calculated::Names;
    use crate::domain::routing::RawPolicy;

    fn calendar() -> WorkingCalendar {
        let spec = "
time_zone: Asia/Shanghai
days: [Mon-Fri]
windows: [['09:00', '18:00']]
statutory: CN
";
        WorkingCalendar::from_spec(&CalendarSpec::parse(spec).unwrap()).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_golden_four_hours_pass_through_a_make_up_workday() {
        let plan = plan(&Ladder::built_in(), &calendar(), at("2026-02-13T16:00:00+08:00")).unwrap();
        assert_eq!(plan.contact_due, at("2026-02-14T11:00:00+08:00"));
        assert!(!plan.provisional);
        let steps: Vec<_> = plan
            .steps
            .iter()
            .map(|step| (step.number, step.audience, step.due))
            .collect();
        let due = plan.contact_due;
        assert_eq!(
            steps,
            [
                (1, Audience::Owner, due),
                (2, Audience::Supervisor, due),
                (3, Audience::Director, due)
            ]
        );
    }

    #[test]
    fn later_steps_run_on_the_ladders_clock() {
        let mut ladder = Ladder::built_in();
        ladder.steps[1].after = Duration::from_mins(30);
        ladder.steps[2].after = Duration::from_hours(9);
        let start = at("2026-03-05T16:00:00+08:00");
        let dues = |ladder: &Ladder| -> Vec<Timestamp> {
            plan(ladder, &calendar(), start)
                .unwrap()
                .steps
                .iter()
                .map(|step| step.due)
                .collect()
        };
        let working = [
            "2026-03-06T11:00:00+08:00",
            "2026-03-06T11:30:00+08:00",
            "2026-03-09T11:00:00+08:00",
        ];
        assert_eq!(dues(&ladder), working.map(at));
        ladder.wall_clock = true;
        let wall = [
            "2026-03-05T20:00:00+08:00",
            "2026-03-05T20:30:00+08:00",
            "2026-03-06T05:00:00+08:00",
        ];
        assert_eq!(dues(&ladder), wall.map(at));
    }

    #[test]
    fn a_year_without_published_holidays_makes_the_plan_provisional() {
        let late = at("2039-12-30T10:00:00+08:00");
        assert!(plan(&Ladder::built_in(), &calendar(), late).unwrap().provisional);
        let wall = Ladder {
            wall_clock: true,
            ..Ladder::built_in()
        };
        assert!(!plan(&wall, &calendar(), late).unwrap().provisional);
    }

    #[test]
    fn the_claim_fuse_counts_working_or_wall_time() {
        let friday = at("2026-03-06T17:00:00+08:00");
        let mut policy = PolicySpec::parse(&RawPolicy::default(), &Names::default()).unwrap();
        assert_eq!(
            claim_due(&policy, &calendar(), friday).unwrap().at,
            at("2026-03-09T10:00:00+08:00")
        );
        policy.claim_wall_clock = true;
        assert_eq!(
            claim_due(&policy, &calendar(), friday).unwrap().at,
            at("2026-03-06T19:00:00+08:00")
        );
    }
}
