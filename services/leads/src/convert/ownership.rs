//! Who had leads, and disputes about it, as messages.

use reflex_proto::leads::v1::{Dispute, Ownership};

use super::timestamp;
use crate::{
    domain::{
        ids::{DisputeId, LeadId, MemberId},
        ownership::Span,
    },
    store::{leads::stored, ownership::DisputeRow},
};

/// Converts a time in which a lead was somebody's.
pub(crate) fn ownership(span: &Span) -> Ownership {
    Ownership {
        lead: span.lead.to_string(),
        owner: span.owner.to_string(),
        team: span.team.to_string(),
        start_time: Some(timestamp(span.start)),
        end_time: span.end.map(|(end, _)| timestamp(end)),
        start_reason: span.start_reason.clone(),
        end_reason: span.end.map(|(_, reason)| reason.to_owned()).unwrap_or_default(),
    }
}

/// Converts a dispute.
pub(crate) fn dispute(row: &DisputeRow) -> Dispute {
    let member = |id: Option<&str>| id.map(|id| stored::<MemberId>(id).to_string()).unwrap_or_default();
    Dispute {
        name: DisputeId(row.dispute_id).to_string(),
        lead: LeadId(row.lead_id).to_string(),
        claimant: member(Some(&row.claimant)),
        reason: row.reason.clone(),
        opener: member(row.opener.as_deref()),
        open_time: Some(timestamp(row.open_time.to_jiff())),
        owner: member(row.owner.as_deref()),
        decider: member(row.decider.as_deref()),
        decision: row.decision.clone(),
        decide_time: row.decide_time.map(|time| timestamp(time.to_jiff())),
    }
}
