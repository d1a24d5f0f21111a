//! What encoded messages quote of leads, and what is left of them without it.

use prost::Message;
use reflex_proto::leads::v1::{
    ClaimExpired, ClaimLeadResponse, CloseLeadResponse, CorrectValidityResponse, DecideDisputeResponse, Dispute, Lead,
    LeadAssigned, LeadEscalated, LeadNurtured, Merge, MergeLeadsResponse, OpenDisputeResponse, RecordFollowUpResponse,
    ReleaseLeadResponse, UnmergeLeadsResponse,
};

use crate::events;

/// Returns a fact without what it quotes; a fact keeps who did what, so that telling it again means the same.
pub(super) fn blank_fact(kind: &str, data: &[u8], erased: &dyn Fn(&str) -> String) -> Vec<u8> {
    match kind {
        events::LEAD_ASSIGNED => edit(data, |fact: &mut LeadAssigned| {
            fact.contact_name.clear();
            for text in [&mut fact.company, &mut fact.product, &mut fact.territory] {
                *text = erased(text);
            }
        }),
        events::LEAD_ESCALATED => edit(data, |fact: &mut LeadEscalated| {
            fact.company = erased(&fact.company);
            fact.product = erased(&fact.product);
        }),
        events::LEAD_NURTURED => edit(data, |fact: &mut LeadNurtured| fact.company = erased(&fact.company)),
        events::CLAIM_EXPIRED => edit(data, |fact: &mut ClaimExpired| fact.company = erased(&fact.company)),
        _ => data.to_vec(),
    }
}

/// Returns a stored answer without what it quotes. Of a method that is not known here nothing is left: whoever repeats such a
/// request is told that it was done, not what came of it.
pub(super) fn blank_answer(method: &str, data: &[u8], erased: &dyn Fn(&str) -> String) -> Vec<u8> {
    let lead = |lead: &mut Option<Lead>| {
        if let Some(lead) = lead {
            blank_lead(lead, erased);
        }
    };
    match method {
        "ClaimLead" => edit(data, |it: &mut ClaimLeadResponse| lead(&mut it.lead)),
        "ReleaseLead" => edit(data, |it: &mut ReleaseLeadResponse| lead(&mut it.lead)),
        "CloseLead" => edit(data, |it: &mut CloseLeadResponse| lead(&mut it.lead)),
        "MergeLeads" => edit(data, |it: &mut MergeLeadsResponse| {
            lead(&mut it.lead);
            blank_merge(&mut it.merge);
        }),
        "UnmergeLeads" => edit(data, |it: &mut UnmergeLeadsResponse| {
            lead(&mut it.survivor);
            lead(&mut it.restored);
            blank_merge(&mut it.merge);
        }),
        "OpenDispute" => edit(data, |it: &mut OpenDisputeResponse| blank_dispute(&mut it.dispute)),
        "DecideDispute" => edit(data, |it: &mut DecideDisputeResponse| {
            lead(&mut it.lead);
            blank_dispute(&mut it.dispute);
        }),
        "correct_validity" => edit(data, |it: &mut CorrectValidityResponse| {
            lead(&mut it.lead);
            if let Some(correction) = &mut it.correction {
                correction.note.clear();
            }
        }),
        "RecordFollowUp" => edit(data, |it: &mut RecordFollowUpResponse| {
            if let Some(follow_up) = &mut it.follow_up {
                follow_up.note.clear();
                follow_up.next_action.clear();
            }
        }),
        _ => Vec::new(),
    }
}

fn blank_lead(lead: &mut Lead, erased: &dyn Fn(&str) -> String) {
    for text in [
        &mut lead.contact_name,
        &mut lead.phone,
        &mut lead.email,
        &mut lead.remark,
    ] {
        text.clear();
    }
    for text in [
        &mut lead.company,
        &mut lead.account,
        &mut lead.territory,
        &mut lead.product,
        &mut lead.external_id,
    ] {
        *text = erased(text);
    }
    lead.attributes.clear();
    lead.calculated_values.clear();
    lead.tags.clear();
}

fn blank_merge(merge: &mut Option<Merge>) {
    if let Some(merge) = merge {
        merge.reason.clear();
        merge.unmerge_reason.clear();
        merge.fields.clear();
    }
}

fn blank_dispute(dispute: &mut Option<Dispute>) {
    if let Some(dispute) = dispute {
        dispute.reason.clear();
        dispute.decision.clear();
    }
}

fn edit<M: Message + Default>(data: &[u8], change: impl FnOnce(&mut M)) -> Vec<u8> {
    // What cannot be read cannot be kept either.
    let Ok(mut message) = M::decode(data) else {
        return Vec::new();
    };
    change(&mut message);
    message.encode_to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_keep_who_did_what_and_answers_their_shape() {
        let erased = |text: &str| text.replace("王主任", "***");
        let fact = LeadAssigned {
            lead: "leads/1".into(),
            owner: "members/li".into(),
            company: "王主任诊所".into(),
            contact_name: "王主任".into(),
            ..LeadAssigned::default()
        };
        let left = blank_fact(events::LEAD_ASSIGNED, &fact.encode_to_vec(), &erased);
        let expected = LeadAssigned {
            company: "***诊所".into(),
            contact_name: String::new(),
            ..fact
        };
        assert_eq!(LeadAssigned::decode(left.as_slice()), Ok(expected));
        let answer = ClaimLeadResponse {
            lead: Some(Lead {
                name: "leads/1".into(),
                phone: "13800138000".into(),
                remark: "x".into(),
                ..Lead::default()
            }),
        };
        let left = blank_answer("ClaimLead", &answer.encode_to_vec(), &erased);
        let lead = ClaimLeadResponse::decode(left.as_slice()).unwrap().lead.unwrap();
        assert_eq!(
            (lead.name.as_str(), lead.phone.as_str(), lead.remark.as_str()),
            ("leads/1", "", "")
        );
        assert_eq!(blank_answer("Unknown", b"x", &erased), Vec::<u8>::new());
    }
}
