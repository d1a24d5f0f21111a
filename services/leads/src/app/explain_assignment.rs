//! Why a lead has the owner it has.

use reflex_proto::leads::v1::{ExplainAssignmentResponse, LeadHistoryEntry, RoutingDecision};
use reflex_rpc::identity::Caller;
use reflex_tenancy::TenantSet;

use super::{App, claim_lead::lead_name};
use crate::{
    convert,
    domain::ids::MemberId,
    error::Error,
    store::{
        decisions,
        history::{self, EntryRow},
        leads::{self, stored},
    },
};

impl App {
    /// Returns every decision about a lead and what happened to it.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub(crate) async fn explain_assignment(
        &self,
        caller: &Caller,
        name: &str,
    ) -> Result<ExplainAssignmentResponse, Error> {
        let lead = lead_name("name", name)?;
        let mut tx = self
            .db
            .begin("explain_assignment", &TenantSet::one(&caller.tenant))
            .await?;
        if leads::find(&mut tx, &caller.tenant, lead).await?.is_none() {
            return Err(Error::NotFound(lead.to_string()));
        }
        let decisions = decisions::list(&mut tx, &caller.tenant, lead).await?;
        let rows = history::list(&mut tx, &caller.tenant, lead).await?;
        let mut history: Vec<LeadHistoryEntry> = decisions
            .iter()
            .map(routed)
            .chain(rows.into_iter().map(happened))
            .collect();
        history.sort_by_key(|entry| entry.time.map(|time| (time.seconds, time.nanos)));
        Ok(ExplainAssignmentResponse { decisions, history })
    }
}

fn routed(decision: &RoutingDecision) -> LeadHistoryEntry {
    let kind = if decision.chosen.is_empty() {
        "queued"
    } else {
        "assigned"
    };
    LeadHistoryEntry {
        time: decision.decide_time,
        kind: kind.into(),
        member: decision.chosen.clone(),
        detail: format!("{}: {}", decision.trigger, decision.reason),
    }
}

pub(crate) fn happened(row: EntryRow) -> LeadHistoryEntry {
    LeadHistoryEntry {
        time: Some(convert::timestamp(row.time.to_jiff())),
        kind: row.kind,
        member: row
            .member
            .as_deref()
            .map(|id| stored::<MemberId>(id).to_string())
            .unwrap_or_default(),
        detail: row.detail,
    }
}
