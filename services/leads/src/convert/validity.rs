//! What leads look like, and what people say of that.

use reflex_proto::leads::v1::{
    LearnedWeight, Validity as Message, ValidityCorrection, validity::Label, validity::Reason,
};
use reflex_validity::Learned;

use crate::{
    convert::timestamp,
    domain::{
        ids::{LeadId, MemberId},
        validity::Validity,
    },
    store::{leads::stored, validity_corrections::CorrectionRow},
};

/// Converts what a lead looked like to its message.
pub(crate) fn validity(validity: &Validity) -> Message {
    let reason = |(reason, weight): (reflex_validity::Reason, f64)| Reason {
        code: reason.code().to_owned(),
        zh: reason.zh().to_owned(),
        en: reason.en().to_owned(),
        weight,
        shipped_weight: reason.weight(),
    };
    let shipped_label = validity.shipped_label.as_deref().map_or(Label::Unspecified, label);
    Message {
        label: label(&validity.label).into(),
        confidence: validity.confidence(),
        reasons: validity.weighed().map(reason).collect(),
        correction_count: count(validity.corrections),
        shipped_label: shipped_label.into(),
    }
}

/// Converts what somebody said of a lead.
pub(crate) fn correction(row: &CorrectionRow) -> ValidityCorrection {
    let member = row.member.as_deref().map(stored::<MemberId>);
    ValidityCorrection {
        lead: LeadId(row.lead_id).to_string(),
        verdict: label(&row.label).into(),
        reasons: row.reasons.clone(),
        note: row.note.clone(),
        member: member.map(|member| member.to_string()).unwrap_or_default(),
        correct_time: Some(timestamp(row.correct_time.to_jiff())),
    }
}

/// Converts what corrections taught; what moved most comes first.
pub(crate) fn weights(learned: &Learned) -> Vec<LearnedWeight> {
    let weight = |reason: reflex_validity::Reason| {
        let counts = learned.counts(reason);
        (counts.invalid + counts.valid > 0).then(|| LearnedWeight {
            code: reason.code().to_owned(),
            zh: reason.zh().to_owned(),
            en: reason.en().to_owned(),
            weight: learned.weight(reason),
            shipped_weight: reason.weight(),
            invalid_count: count(counts.invalid),
            valid_count: count(counts.valid),
        })
    };
    let mut weights: Vec<LearnedWeight> = reflex_validity::Reason::ALL.into_iter().filter_map(weight).collect();
    let moved = |it: &LearnedWeight| (it.weight - it.shipped_weight).abs();
    weights.sort_by(|one, two| moved(two).total_cmp(&moved(one)));
    weights
}

fn label(word: &str) -> Label {
    match word {
        "valid" => Label::Valid,
        "suspect" => Label::Suspect,
        _ => Label::Invalid,
    }
}

fn count(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
