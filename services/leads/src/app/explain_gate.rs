//! What the gate says of a lead: what it said, and what it would say.

use reflex_proto::leads::v1::{
    EvaluateGateRequest, EvaluateGateResponse, ExplainGateRequest, ExplainGateResponse, LeadHistoryEntry,
};
use reflex_rpc::identity::Caller;
use reflex_tenancy::TenantSet;
use sqlx::types::Json;

use super::{App, claim_lead::lead_name, explain_assignment::happened};
use crate::{
    convert,
    domain::{
        gate::{Gate, GateSpec, judge},
        ids::LeadId,
        lead::State,
    },
    error::Error,
    store::{history, lead_gates, leads, validity_corrections},
};

/// Kinds of the history that are the gate's doing.
const KINDS: [&str; 5] = ["gated", "nurtured", "returned", "set_aside", "corrected"];

impl App {
    /// Tells what the gate would say of a lead now; changes nothing.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Violations`] for a malformed draft.
    pub(crate) async fn evaluate_gate(
        &self,
        caller: &Caller,
        request: &EvaluateGateRequest,
    ) -> Result<EvaluateGateResponse, Error> {
        let id = lead_name("lead", &request.lead)?;
        let tenant = &caller.tenant;
        let draft = match &request.policy {
            Some(draft) => {
                let raw = convert::gate::raw_gate(draft).map_err(|violation| vec![violation])?;
                Some(GateSpec::parse(raw)?)
            }
            None => None,
        };
        let mut tx = self.db.begin("evaluate_gate", &TenantSet::one(tenant)).await?;
        let lead = leads::find_survivor(&mut tx, tenant, id).await?;
        let lead = lead.ok_or_else(|| Error::NotFound(id.to_string()))?;
        let setup = self.setups.get(&mut tx, tenant).await?;
        let gate = match draft {
            // A draft has no version yet.
            Some(spec) => Gate { version: 0, spec },
            None => setup.gate.as_deref().cloned().unwrap_or_default(),
        };
        let now = self.clock.now();
        let known = self.gate_knowledge(&mut tx, tenant, &gate, &[&lead], now).await?;
        let stored = lead_gates::find(&mut tx, tenant, LeadId(lead.lead_id)).await?;
        let held_since = stored
            .filter(|_| lead.state() == State::Held)
            .map(|row| row.since.to_jiff());
        let judgement = judge(&gate.spec, gate.version, &known.facts[0], held_since, now);
        Ok(EvaluateGateResponse {
            verdict: Some(convert::gate::verdict(&judgement)),
        })
    }

    /// Tells what the gate said of a lead the last time, and what happened on its account.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub(crate) async fn explain_gate(
        &self,
        caller: &Caller,
        request: &ExplainGateRequest,
    ) -> Result<ExplainGateResponse, Error> {
        let id = lead_name("lead", &request.lead)?;
        let tenant = &caller.tenant;
        let mut tx = self.db.begin("explain_gate", &TenantSet::one(tenant)).await?;
        let lead = leads::find_survivor(&mut tx, tenant, id).await?;
        let lead = lead.ok_or_else(|| Error::NotFound(id.to_string()))?;
        let held = LeadId(lead.lead_id);
        let stored = lead_gates::find(&mut tx, tenant, held).await?;
        let setup = self.setups.get(&mut tx, tenant).await?;
        let rows = history::list(&mut tx, tenant, held).await?;
        let rows = rows.into_iter().filter(|row| KINDS.contains(&row.kind.as_str()));
        let history: Vec<LeadHistoryEntry> = rows.map(happened).collect();
        let correction = validity_corrections::find(&mut tx, tenant, held).await?;
        let mut response = ExplainGateResponse {
            state: convert::state(lead.state()).into(),
            history,
            correction: correction.as_ref().map(convert::validity::correction),
            ..ExplainGateResponse::default()
        };
        if let Some(stored) = stored {
            let since = stored.since.to_jiff();
            let judgement = stored.judgement.as_ref();
            response.verdict = judgement.map(|Json(judgement)| convert::gate::verdict(judgement));
            response.validity = stored
                .validity
                .as_ref()
                .map(|Json(validity)| convert::validity::validity(validity));
            response.evaluate_time = stored.evaluate_time.map(|at| convert::timestamp(at.to_jiff()));
            response.since = Some(convert::timestamp(since));
            if lead.state().is_aside() {
                response.kept_for = stored.kept_for.unwrap_or_default();
            }
            if lead.state() == State::Held {
                let spec = setup.gate.as_deref().map(|gate| gate.spec.clone()).unwrap_or_default();
                let until = since.saturating_add(spec.max_hold()).unwrap_or(since);
                response.hold_until = Some(convert::timestamp(until));
            }
        }
        Ok(response)
    }
}
