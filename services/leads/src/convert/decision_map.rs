//! Maps of who decides between messages, domain types and rows.

use jiff::Timestamp;
use jiff_sqlx::Timestamp as SqlTimestamp;
use reflex_proto::leads::v1 as pb;

use super::{duration, duration_message, timestamp};
use crate::{
    domain::{
        decision_map::{DecisionMapPolicy, Reached, missing},
        ids::LeadId,
        violation::Violation,
    },
    store::decision_maps::{MapRow, ReachedRow},
};

/// Converts a sent policy to what the domain checks.
///
/// # Errors
/// When the time is negative.
pub(crate) fn raw_policy(policy: &pb::DecisionMapPolicy) -> Result<DecisionMapPolicy, Violation> {
    Ok(DecisionMapPolicy {
        enabled: policy.enabled,
        within: duration("policy.within", policy.within.as_ref())?,
        working_time: policy.working_time,
        roles: policy.roles.clone(),
    })
}

/// Converts a policy.
pub(crate) fn policy(policy: &DecisionMapPolicy, update_time: Timestamp) -> pb::DecisionMapPolicy {
    pb::DecisionMapPolicy {
        enabled: policy.enabled,
        within: Some(duration_message(policy.within)),
        working_time: policy.working_time,
        roles: policy.roles.clone(),
        update_time: Some(timestamp(update_time)),
    }
}

/// Converts who was sent as reached to what the domain checks.
pub(crate) fn raw_reached(role: &pb::DecisionRole) -> Reached {
    Reached {
        role: role.role.clone(),
        person: role.person.clone(),
        minutes: role.minutes.clone(),
        minutes_url: role.minutes_url.clone(),
    }
}

/// Converts a map with whom was reached.
pub(crate) fn map(row: &MapRow, reached: &[ReachedRow]) -> pb::DecisionMap {
    let time = |at: Option<SqlTimestamp>| at.map(|at| timestamp(at.to_jiff()));
    let of: Vec<Reached> = reached.iter().map(|row| row.reached.clone()).collect();
    pb::DecisionMap {
        lead: LeadId(row.lead_id).to_string(),
        start_time: Some(timestamp(row.start_time.to_jiff())),
        due_time: Some(timestamp(row.due_time.to_jiff())),
        missing_roles: missing(&row.roles, &of),
        roles: reached.iter().map(role).collect(),
        complete_time: time(row.complete_time),
        overdue_time: time(row.overdue_time),
    }
}

fn role(row: &ReachedRow) -> pb::DecisionRole {
    pb::DecisionRole {
        role: row.reached.role.clone(),
        person: row.reached.person.clone(),
        minutes: row.reached.minutes.clone(),
        minutes_url: row.reached.minutes_url.clone(),
        member: row.member.to_string(),
        reach_time: Some(timestamp(row.time)),
    }
}
