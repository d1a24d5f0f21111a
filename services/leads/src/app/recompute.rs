//! Computes the due times of running clocks anew when a calendar changes.

use std::time::Duration;

use jiff::Timestamp;
use reflex_calendar::{CalendarError, Due};
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use reflex_timers::Timer;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::fire_timers::{ClaimFuse, LadderStep};
use super::pool_clocks;
use crate::{
    domain::ids::{CalendarId, LeadId, MemberId},
    setup::Setup,
    store::running_clocks::{self, CLAIM_DUE, LADDER_STEP, NewDue},
};

/// Where a clock started and how far it has to run, so that its end can be computed again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ClockStart {
    pub(crate) start: Timestamp,
    pub(crate) run: Duration,
    pub(crate) by: By,
}

/// By which hours a clock runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum By {
    /// By the wall clock.
    Wall,
    /// By a calendar.
    Calendar(CalendarId),
    /// By a member's calendar and leaves.
    Member(MemberId),
}

impl ClockStart {
    /// Returns when the clock runs out.
    ///
    /// # Errors
    /// When the calendar has not that much open time within its horizon.
    pub(crate) fn due(&self, setup: &Setup) -> Result<Due, CalendarError> {
        match &self.by {
            By::Wall => {
                let at = self.start.saturating_add(self.run).unwrap_or(Timestamp::MAX);
                Ok(Due { at, provisional: false })
            }
            By::Calendar(calendar) => setup.calendar(calendar).add(self.start, self.run),
            By::Member(member) => setup.calendar_of(member).add(self.start, self.run),
        }
    }
}

/// Computes every running clock of a tenant anew and returns how many got another due time; those of the pool follow batch
/// by batch and are not counted.
///
/// # Errors
/// When the database fails.
pub(crate) async fn clocks(
    tx: &mut PgConnection,
    tenant: &TenantId,
    setup: &Setup,
    now: Timestamp,
) -> Result<i32, DbError> {
    let mut moved = Vec::new();
    let mut leads = Vec::new();
    for timer in running_clocks::list(tx, tenant, &[CLAIM_DUE, LADDER_STEP]).await? {
        let Some(clock) = Clock::of(&timer) else { continue };
        // A calendar without enough open time cannot be stored, so an error leaves the clock as it is.
        let (Ok(due), Ok(contact)) = (clock.start.due(setup), clock.contact.due(setup)) else {
            continue;
        };
        let provisional = due.provisional;
        let (claim_due, contact_due) = if timer.kind == CLAIM_DUE {
            (Some(due.at), None)
        } else {
            (None, Some(contact.at))
        };
        leads.push(NewDue {
            lead: clock.lead,
            claim_due,
            contact_due,
            provisional,
        });
        if due.at != timer.due_time {
            moved.push(Timer {
                due_time: due.at,
                ..timer
            });
        }
    }
    let count = i32::try_from(moved.len()).unwrap_or(i32::MAX);
    reflex_timers::set(tx, &moved).await?;
    running_clocks::set_due(tx, tenant, &leads).await?;
    if setup.pool.as_deref().is_some_and(|pool| !pool.spec().rules.is_empty()) {
        reflex_timers::set(tx, &[pool_clocks::sweep(tenant, None, now)]).await?;
    }
    Ok(count)
}

/// A running clock, and the one that runs out when the contact is due.
struct Clock {
    lead: LeadId,
    start: ClockStart,
    contact: ClockStart,
}

impl Clock {
    fn of(timer: &Timer) -> Option<Self> {
        let payload = timer.payload.clone();
        if timer.kind == CLAIM_DUE {
            let fuse: ClaimFuse = serde_json::from_value(payload).ok()?;
            return Some(Self {
                lead: fuse.lead,
                contact: fuse.clock.clone(),
                start: fuse.clock,
            });
        }
        let step: LadderStep = serde_json::from_value(payload).ok()?;
        Some(Self {
            lead: step.lead,
            contact: step.contact(),
            start: step.clock,
        })
    }
}
