//! Pool policies.

use jiff::Timestamp;
use reflex_proto::leads::v1::{
    self as pb,
    pool_policy::{Lacking as PbLacking, Then as PbThen},
};

use crate::{
    convert::{duration, duration_message, timestamp},
    domain::{
        pool::{Lacking, PoolSpec, RawPool, RawRule, Rule, Then},
        violation::Violation,
    },
};

/// Converts a sent policy to what the domain checks.
///
/// # Errors
/// When a time is negative.
pub(crate) fn raw_pool(message: &pb::PoolPolicy) -> Result<RawPool, Violation> {
    let mut rules = Vec::with_capacity(message.rules.len());
    for (place, rule) in message.rules.iter().enumerate() {
        let at = |field: &str| format!("policy.rules[{place}].{field}");
        rules.push(RawRule {
            title: rule.title.clone(),
            when: rule.when.clone(),
            lacking: match rule.lacking() {
                PbLacking::Unspecified => None,
                PbLacking::Claim => Some(Lacking::Claim),
                PbLacking::FollowUp => Some(Lacking::FollowUp),
            },
            within: duration(&at("within"), rule.within.as_ref())?,
            wall_clock: rule.wall_clock,
            then: match rule.then() {
                PbThen::Unspecified => None,
                PbThen::Route => Some(Then::Route),
                PbThen::Wait => Some(Then::Wait),
            },
            cooldown: duration(&at("cooldown"), rule.cooldown.as_ref())?,
        });
    }
    Ok(RawPool {
        picks_per_day: message.picks_per_day,
        rules,
    })
}

/// Converts a policy to its message.
pub(crate) fn pool(spec: &PoolSpec, update_time: Timestamp) -> pb::PoolPolicy {
    let rule = |rule: &Rule| pb::pool_policy::Rule {
        title: rule.title.clone(),
        when: rule.when.clone().unwrap_or_default(),
        lacking: match rule.lacking {
            Lacking::Claim => PbLacking::Claim,
            Lacking::FollowUp => PbLacking::FollowUp,
        }
        .into(),
        within: Some(duration_message(rule.within)),
        wall_clock: rule.wall_clock,
        then: match rule.then {
            Then::Route => PbThen::Route,
            Then::Wait => PbThen::Wait,
        }
        .into(),
        // Absent where there is none, as in what people write.
        cooldown: (!rule.cooldown.is_zero()).then(|| duration_message(rule.cooldown)),
    };
    pb::PoolPolicy {
        picks_per_day: spec.picks_per_day,
        rules: spec.rules.iter().map(rule).collect(),
        update_time: Some(timestamp(update_time)),
    }
}
