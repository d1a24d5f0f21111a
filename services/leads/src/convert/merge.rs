//! Merges of leads as messages.

use reflex_proto::leads::v1::{Merge, MergedField, merged_field};

use super::timestamp;
use crate::{
    domain::{
        ids::{LeadId, MemberId, MergeId},
        merge::{Rule, Side},
    },
    store::{leads::stored, merges::MergeRow},
};

/// Converts a merge.
pub(crate) fn merge(row: &MergeRow) -> Merge {
    let member = |id: Option<&str>| id.map(|id| stored::<MemberId>(id).to_string()).unwrap_or_default();
    let fields = row.images.fields.iter().map(|survival| MergedField {
        field: survival.field.clone(),
        lead: LeadId(match survival.side {
            Side::Survivor => row.survivor,
            Side::Loser => row.loser,
        })
        .to_string(),
        rule: rule(survival.rule).into(),
    });
    Merge {
        name: MergeId(row.merge_id).to_string(),
        survivor: LeadId(row.survivor).to_string(),
        loser: LeadId(row.loser).to_string(),
        merge_time: Some(timestamp(row.merge_time.to_jiff())),
        member: member(row.member.as_deref()),
        reason: row.reason.clone(),
        fields: fields.collect(),
        unmerge_time: row.unmerge_time.map(|time| timestamp(time.to_jiff())),
        unmerge_member: member(row.unmerge_member.as_deref()),
        unmerge_reason: row.unmerge_reason.clone().unwrap_or_default(),
    }
}

fn rule(rule: Rule) -> merged_field::Rule {
    match rule {
        Rule::Chosen => merged_field::Rule::Chosen,
        Rule::Filled => merged_field::Rule::Filled,
        Rule::Confirmed => merged_field::Rule::Confirmed,
        Rule::Newer => merged_field::Rule::Newer,
        Rule::Stricter => merged_field::Rule::Stricter,
    }
}
