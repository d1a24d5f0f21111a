//! The clocks of the pool's rules: one timer an ownership, due when the first rule's time is over.
//!
//! A timer only says when to look: whether a rule's time is over is computed anew when it fires.

use jiff::Timestamp;
use reflex_tenancy::TenantId;
use reflex_timers::Timer;
use serde::{Deserialize, Serialize};

use super::recompute::{By, ClockStart};
use crate::{
    domain::{
        ids::LeadId,
        pool::{Ownership, Pool, Rule},
    },
    setup::Setup,
};

/// Timer of the first rule whose time is over; key `leads/{lead}/{fencing token}`.
pub(crate) const RECYCLE_DUE: &str = "recycle_due";
/// Timer of a cooldown's end; key `leads/{lead}/{fencing token}`.
pub(crate) const COOLDOWN_ENDED: &str = "cooldown_ended";
/// Timer that sets the clocks of a tenant's owned leads; key `pool/sweep`.
pub(crate) const POOL_SWEEP: &str = "pool_sweep";

/// What the clock of an ownership, and the end of a cooldown, remember.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RecycleDue {
    pub(crate) lead: LeadId,
    pub(crate) fencing_token: i64,
}

/// What a sweep remembers: how far it came.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PoolSweep {
    pub(crate) after: Option<LeadId>,
}

/// Returns when the time of each rule is over for an ownership, with the rule's place, in order.
pub(crate) fn ends(setup: &Setup, pool: &Pool, held: &Ownership) -> Vec<(Timestamp, usize)> {
    let end = |(place, rule, since): (usize, &Rule, Timestamp)| {
        let clock = ClockStart {
            start: since,
            run: rule.within,
            by: if rule.wall_clock {
                By::Wall
            } else {
                By::Member(held.owner.clone())
            },
        };
        // A calendar without open time for decades: nobody can be late by it.
        Some((clock.due(setup).ok()?.at, place))
    };
    let mut ends: Vec<_> = pool.running(held).filter_map(end).collect();
    ends.sort_unstable();
    ends
}

/// Returns the timer of an ownership; `None` if no rule has a clock for it.
pub(crate) fn first(
    setup: &Setup,
    tenant: &TenantId,
    of: &RecycleDue,
    held: &Ownership,
    traceparent: Option<&str>,
) -> Option<Timer> {
    let pool = setup.pool.as_deref()?;
    let (due, _) = *ends(setup, pool, held).first()?;
    Some(timer(RECYCLE_DUE, tenant, of, due, traceparent.map(str::to_owned)))
}

/// Returns a timer about an ownership.
pub(crate) fn timer(
    kind: &str,
    tenant: &TenantId,
    of: &RecycleDue,
    due_time: Timestamp,
    traceparent: Option<String>,
) -> Timer {
    Timer {
        tenant: tenant.clone(),
        kind: kind.to_owned(),
        key: format!("{}/{}", of.lead, of.fencing_token),
        due_time,
        payload: serde_json::to_value(of).expect("plain data becomes JSON"),
        traceparent,
    }
}

/// Returns the timer that goes on with a sweep after a lead, or begins one; a later one takes the place of an earlier one.
pub(crate) fn sweep(tenant: &TenantId, after: Option<LeadId>, now: Timestamp) -> Timer {
    Timer {
        tenant: tenant.clone(),
        kind: POOL_SWEEP.to_owned(),
        key: "pool/sweep".to_owned(),
        due_time: now,
        payload: serde_json::to_value(PoolSweep { after }).expect("plain data becomes JSON"),
        traceparent: None,
    }
}
