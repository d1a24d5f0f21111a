//! Tags, their rules and facts of leads between messages, domain types and rows.

use reflex_proto::leads::v1::{self as pb, ProgressStage};

use crate::{
    convert::{domain_of, duration, instant, timestamp, value_of},
    domain::{
        ids::{MemberId, ProgressTagId, TagRuleId},
        lead_fact::RawLeadFact,
        tags::{ProgressTag, RawTagRule, Stage},
        violation::Violation,
    },
    store::{
        leads::stored,
        tags::{RuleRow, TagRow},
    },
};

const STAGES: [(ProgressStage, Stage, &str); 6] = [
    (ProgressStage::Contact, Stage::Contact, "contact"),
    (ProgressStage::Needs, Stage::Needs, "needs"),
    (ProgressStage::Evaluation, Stage::Evaluation, "evaluation"),
    (ProgressStage::Quotation, Stage::Quotation, "quotation"),
    (ProgressStage::Approval, Stage::Approval, "approval"),
    (ProgressStage::Contract, Stage::Contract, "contract"),
];

/// Converts a sent rule to what the domain checks.
pub(crate) fn raw_rule(rule: &pb::TagRule) -> RawTagRule {
    RawTagRule {
        name: rule.name.clone(),
        tag: rule.tag.clone(),
        condition: rule.condition.clone(),
        event: rule.event.clone(),
        expire_days: rule.expire_days,
        enabled: rule.enabled,
    }
}

/// Converts a stored rule.
pub(crate) fn rule(row: &RuleRow) -> pb::TagRule {
    let versioned = row.versioned();
    let rule = versioned.rule;
    pb::TagRule {
        name: rule.id.to_string(),
        tag: rule.tag,
        condition: rule.condition,
        event: rule.event,
        expire_days: rule.expire_days,
        enabled: rule.enabled,
        version: versioned.version,
        update_time: Some(timestamp(row.update_time.to_jiff())),
    }
}

/// Checks a sent progress tag.
///
/// # Errors
/// Returns everything that is wrong with it.
pub(crate) fn parse_progress_tag(sent: &pb::ProgressTag) -> Result<ProgressTag, Vec<Violation>> {
    ProgressTag::parse(&sent.name, &sent.label, domain_of(&STAGES, sent.stage), sent.enabled)
}

/// Converts a progress tag.
pub(crate) fn progress_tag(progress_tag: &ProgressTag) -> pb::ProgressTag {
    pb::ProgressTag {
        name: progress_tag.id.to_string(),
        label: progress_tag.label.clone(),
        stage: value_of(&STAGES, Some(progress_tag.stage.as_str())),
        enabled: progress_tag.enabled,
    }
}

/// Converts a tag of a lead.
pub(crate) fn lead_tag(row: &TagRow) -> pb::LeadTag {
    let name = |name: Option<String>| name.unwrap_or_default();
    pb::LeadTag {
        tag: row.tag.clone(),
        tag_rule: name(row.rule.as_deref().map(|id| stored::<TagRuleId>(id).to_string())),
        tag_rule_version: row.rule_version.unwrap_or_default(),
        evidence: row.evidence.clone(),
        member: name(row.member.as_deref().map(|id| stored::<MemberId>(id).to_string())),
        progress_tag: name(
            row.progress_tag
                .as_deref()
                .map(|id| stored::<ProgressTagId>(id).to_string()),
        ),
        stage: value_of(&STAGES, row.stage.as_deref()),
        tag_time: Some(timestamp(row.tag_time)),
        expire_time: row.expire_time.map(timestamp),
    }
}

/// Converts sent facts to what the domain checks.
///
/// # Errors
/// When a time or a duration is none.
pub(crate) fn raw_facts(facts: &[pb::LeadFact]) -> Result<Vec<RawLeadFact>, Violation> {
    let raw = |(at, fact): (usize, &pb::LeadFact)| {
        let occur_time = fact.occur_time.as_ref();
        let occur_time = occur_time.map(|time| instant(&format!("facts[{at}].occur_time"), time));
        let took = fact.duration.as_ref();
        let took = took.map(|took| duration(&format!("facts[{at}].duration"), Some(took)));
        Ok(RawLeadFact {
            id: fact.id.clone(),
            kind: fact.kind.clone(),
            occur_time: occur_time.transpose()?,
            object: fact.object.clone(),
            duration: took.transpose()?,
        })
    };
    facts.iter().enumerate().map(raw).collect()
}
