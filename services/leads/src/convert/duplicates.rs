//! Pairs of leads, and how leads are compared, as messages.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff_sqlx::Timestamp as SqlTimestamp;
use reflex_matching::{Field, Finding, Weights};
use reflex_proto::leads::v1::{self as pb, duplicate};
use reflex_rpc::identity::Caller;
use uuid::Uuid;

use super::timestamp;
use crate::{
    convert,
    domain::{
        duplicates::{DuplicatePolicy, FieldEvidence, RawDuplicatePolicy, State},
        ids::{DuplicateId, LeadId, MemberId},
        lead, masking,
        violation::Violation,
    },
    store::{
        duplicates::{DuplicateRow, SideRow},
        leads::{number_text, stored},
    },
};

/// Converts a sent policy to what the domain checks.
pub(crate) fn raw_policy(message: &pb::DuplicatePolicy) -> RawDuplicatePolicy {
    RawDuplicatePolicy {
        disabled: message.disabled,
        threshold: message.threshold,
        weights: message.weights.clone(),
        weak: message.weak.clone(),
    }
}

/// Converts a policy; the usual threshold is left out as in what people write.
pub(crate) fn policy(policy: &DuplicatePolicy, update_time: Timestamp) -> pb::DuplicatePolicy {
    let weights = &policy.weights;
    let is_usual = (weights.threshold - Weights::THRESHOLD).abs() < f64::EPSILON;
    pb::DuplicatePolicy {
        disabled: policy.disabled,
        threshold: if is_usual { 0.0 } else { weights.threshold },
        weights: weights
            .fields
            .iter()
            .map(|(field, weight)| (field.name().to_owned(), *weight))
            .collect(),
        weak: policy.weak().into_iter().map(|field| field.name().to_owned()).collect(),
        update_time: Some(timestamp(update_time)),
    }
}

/// Converts what fields say.
pub(crate) fn evidence(fields: &[FieldEvidence]) -> Vec<pb::FieldEvidence> {
    let one = |field: &FieldEvidence| {
        let finding = Finding::find(&field.finding).unwrap_or(Finding::Missing);
        pb::FieldEvidence {
            field: field.field.clone(),
            finding: field.finding.clone(),
            finding_zh: finding.zh().to_owned(),
            finding_en: finding.en().to_owned(),
            similarity: field.similarity,
            bits: field.bits,
        }
    };
    let known = |field: &&FieldEvidence| Field::find(&field.field).is_some();
    fields.iter().filter(known).map(one).collect()
}

/// Converts a lead of a pair to what the caller may see of it.
pub(crate) fn side(row: &SideRow, caller: &Caller) -> pb::DuplicateLead {
    let shows = caller.may("leads.read_contact");
    let masked = |text: &str, mask: fn(&str) -> String| if shows { text.to_owned() } else { mask(text) };
    let state = lead::State::find(&row.state).expect("the table's check allows known states only");
    pb::DuplicateLead {
        name: LeadId(row.lead_id).to_string(),
        number: number_text(row.number),
        state: convert::state(state).into(),
        company: row.company.clone(),
        contact_name: row.contact_name.clone(),
        phone: masked(&row.phone, masking::mask_phone),
        email: masked(&row.email, masking::mask_email),
        owner: row.owner().map(|owner| owner.to_string()).unwrap_or_default(),
        create_time: Some(timestamp(row.create_time.to_jiff())),
    }
}

/// Converts a pair, with its leads as far as they are given.
pub(crate) fn duplicate(row: &DuplicateRow, sides: &HashMap<Uuid, pb::DuplicateLead>) -> pb::Duplicate {
    let time = |at: Option<SqlTimestamp>| at.map(|at| timestamp(at.to_jiff()));
    let member = row.member.as_deref().map(|id| stored::<MemberId>(id).to_string());
    pb::Duplicate {
        name: DuplicateId(row.duplicate_id).to_string(),
        earlier: sides.get(&row.earlier_id).cloned(),
        later: sides.get(&row.later_id).cloned(),
        score: row.score,
        state: state(row.state()).into(),
        fields: evidence(&row.evidence.0),
        suspect_time: time(row.suspect_time),
        decide_time: time(row.decide_time),
        member: member.unwrap_or_default(),
        reason: row.reason.clone(),
    }
}

fn state(state: State) -> duplicate::State {
    match state {
        State::Linked => duplicate::State::Unspecified,
        State::Suspected => duplicate::State::Suspected,
        State::Withdrawn => duplicate::State::Withdrawn,
        State::Distinct => duplicate::State::Distinct,
        State::Merged => duplicate::State::Merged,
    }
}

/// Converts a filter; `None` for all.
///
/// # Errors
/// For an unknown state.
pub(crate) fn state_filter(value: i32) -> Result<Option<&'static str>, Violation> {
    let unknown = || Violation {
        field: "state".into(),
        description: "is no known state".into(),
    };
    let state = match duplicate::State::try_from(value).map_err(|_| unknown())? {
        duplicate::State::Unspecified => return Ok(None),
        duplicate::State::Suspected => State::Suspected,
        duplicate::State::Withdrawn => State::Withdrawn,
        duplicate::State::Distinct => State::Distinct,
        duplicate::State::Merged => State::Merged,
    };
    Ok(Some(state.as_str()))
}
