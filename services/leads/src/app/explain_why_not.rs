//! Why a member did not get a lead.

use jiff::Timestamp;
use reflex_proto::leads::v1::{ExplainWhyNotRequest, ExplainWhyNotResponse, explain_why_not_response as pb};
use reflex_rpc::identity::Caller;
use reflex_tenancy::TenantSet;

use super::{App, claim_lead::lead_name, list_directory::resource, past};
use crate::{
    convert,
    domain::{
        assign::{LeadFacts, Snapshot},
        ids::MemberId,
        member::Member,
        why_not::{self, Change, MOST_REMEDIES, Remedy, Words},
    },
    error::Error,
    store::past_leads,
};

/// What a decision was made about, as everybody stood then.
struct Question {
    lead: LeadFacts,
    snapshot: Snapshot,
    time: Timestamp,
    member: Member,
}

impl App {
    /// Returns the fewest changes with which the last decision about a lead would have chosen a member.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::WrongState`] for a lead nothing was decided about, or too long ago.
    pub(crate) async fn explain_why_not(
        &self,
        caller: &Caller,
        request: &ExplainWhyNotRequest,
    ) -> Result<ExplainWhyNotResponse, Error> {
        let question = self.look_back(caller, request).await?;
        let answer = tokio::task::spawn_blocking(move || question.answer()).await;
        answer.map_err(|error| Error::Refused(Box::new(reflex_rpc::status::internal(&error))))
    }

    async fn look_back(&self, caller: &Caller, request: &ExplainWhyNotRequest) -> Result<Question, Error> {
        let tenant = &caller.tenant;
        let lead = lead_name("name", &request.name)?;
        let member: MemberId = resource("member", &request.member)?;
        let mut tx = self.db.begin("explain_why_not", &TenantSet::one(tenant)).await?;
        past_leads::only_look(&mut tx).await?;
        let setup = self.setups.get(&mut tx, tenant).await?;
        let found = setup.directory.find_member(&member).cloned();
        let row = past_leads::find(&mut tx, tenant, lead).await?;
        let row = row.ok_or_else(|| Error::NotFound(lead.to_string()))?;
        let member = found.ok_or_else(|| Error::NotFound(member.to_string()))?;
        let mut happened = past_leads::happened(&mut tx, tenant, &[lead.0]).await?;
        let asked = past::PastLead::new(&row, &mut happened);
        let asked = asked.ok_or_else(|| Error::WrongState("nothing was decided about the lead yet".into()))?;
        let (snapshot, facts, time) = past::before_last_decision(&mut tx, tenant, &setup, &asked).await?;
        Ok(Question {
            lead: facts,
            snapshot,
            time,
            member,
        })
    }
}

impl Question {
    fn answer(&self) -> ExplainWhyNotResponse {
        let answer = why_not::why_not(&self.lead, &self.snapshot, self.time, &self.member);
        let words = Words::new(&self.lead, &self.snapshot, self.time, &self.member);
        let summary = words.summary(&answer);
        let listed = |remedies: &[Remedy]| {
            remedies
                .iter()
                .take(MOST_REMEDIES)
                .map(|it| remedy(it, &words))
                .collect()
        };
        ExplainWhyNotResponse {
            decide_time: Some(convert::timestamp(self.time)),
            chosen: answer.chosen,
            remedies: listed(&answer.remedies),
            lead_or_policy_remedies: listed(&answer.lead_or_policy),
            summary_zh: summary.zh,
            summary_en: summary.en,
        }
    }
}

fn remedy(remedy: &Remedy, words: &Words<'_>) -> pb::Remedy {
    let change = |change: &Change| {
        let clause = words.clause(change);
        let (entry, value) = (change.entry(), change.value());
        pb::Change {
            kind: change.kind().to_owned(),
            entry: entry.map_or(0, |number| i32::try_from(number).unwrap_or(i32::MAX)),
            value,
            text_zh: clause.zh,
            text_en: clause.en,
        }
    };
    pb::Remedy {
        changes: remedy.iter().map(change).collect(),
    }
}
