//! Saying of a lead whether it is one. What is said is remembered, and screening judges later leads by it.

use jiff::Timestamp;
use reflex_proto::leads::v1::{
    CorrectValidityRequest, CorrectValidityResponse, ListValidityCorrectionsRequest, ListValidityCorrectionsResponse,
    validity::Label,
};
use reflex_rpc::identity::Caller;
use reflex_runtime::telemetry;
use reflex_tenancy::TenantSet;
use sqlx::types::Json;
use uuid::Uuid;

use super::{
    App,
    change_setup::{Begun, Change},
    claim_lead::{lead_name, lock},
    gate::said,
    gate_due::{Aside, Mover},
    nurture_lead::{check_reason, member},
    paging::Page,
};
use crate::{
    convert,
    domain::{decision::Trigger, gate::Screening, lead::State, validity::Correction},
    error::Error,
    store::{history, lead_gates, leads::LeadRow, running_clocks, validity_corrections},
};

const LARGEST_PAGE: i32 = 500;

impl App {
    /// Says whether a lead is one.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::WrongState`] when it is not routed yet or was merged, [`Error::Violations`].
    pub(crate) async fn correct_validity(
        &self,
        caller: &Caller,
        request: &CorrectValidityRequest,
    ) -> Result<CorrectValidityResponse, Error> {
        let id = lead_name("name", &request.name)?;
        let is_invalid = match request.verdict() {
            Label::Valid => false,
            Label::Invalid => true,
            Label::Unspecified | Label::Suspect => {
                return Err(Error::invalid("verdict", "must be LABEL_VALID or LABEL_INVALID"));
            }
        };
        check_reason("note", &request.note)?;
        // The setup before leads, as everybody does who needs both: what is learned is part of it.
        let begun = self.begin_change("correct_validity", caller, &request.request_id, request);
        let mut change = match begun.await? {
            Begun::Answered(response) => return Ok(response),
            Begun::New(change) => change,
        };
        running_clocks::lock(&mut change.tx, &caller.tenant, &[id]).await?;
        let lead = lock(&mut change.tx, caller, id).await?;
        if lead.state() == State::Captured {
            return Err(Error::WrongState("the lead is not routed yet".into()));
        }
        let stored = lead_gates::find(&mut change.tx, &caller.tenant, id).await?;
        let looked = stored.and_then(|stored| stored.validity).map(|Json(validity)| validity);
        let correction = Correction {
            lead: id,
            is_invalid,
            reasons: said(&lead, 1).found(looked.as_ref()),
            note: request.note.trim(),
        };
        self.remember(&mut change, caller, &lead, &correction).await?;
        let row = validity_corrections::find(&mut change.tx, &caller.tenant, id).await?;
        let response = CorrectValidityResponse {
            lead: Some(self.shown(&mut change.tx, caller, id).await?),
            correction: row.as_ref().map(convert::validity::correction),
        };
        self.commit_change(change, &response).await?;
        Ok(response)
    }

    /// Keeps what was said of a locked lead, and moves the lead where it belongs now.
    async fn remember(
        &self,
        change: &mut Change,
        caller: &Caller,
        lead: &LeadRow,
        correction: &Correction<'_>,
    ) -> Result<(), Error> {
        let (tenant, member) = (&caller.tenant, member(caller));
        let now = self.now_stored();
        validity_corrections::put(&mut change.tx, tenant, correction, member.as_ref(), now).await?;
        let detail = format!("{}: {}", correction.label(), correction.note);
        let entry = self.entry(lead, "corrected", member.clone(), detail);
        history::add(&mut change.tx, tenant, &[entry]).await?;
        let mover = Mover {
            tenant,
            lead,
            member,
            traceparent: telemetry::current_traceparent(),
        };
        let state = lead.state();
        if !correction.is_invalid && state == State::SetAside {
            let detail = "from set_aside: corrected".to_owned();
            self.return_lead_kept(&mut change.tx, &mover, Trigger::Returned, detail)
                .await?;
        } else if correction.is_invalid && state.may_become(State::SetAside) {
            let reasons = correction.reasons.iter().filter(|reason| reason.weight() > 0.0);
            let aside = Aside::Corrected(reasons.map(|reason| reason.code().to_owned()).collect());
            let setup = change.before.clone();
            self.take_aside(&mut change.tx, &setup, &mover, &aside).await?;
        }
        // Nobody reads what is learned where nobody screens.
        let gate = change.before.gate.as_deref();
        if gate.is_some_and(|gate| gate.spec.screening != Screening::Off) {
            change.publish().await?;
        }
        Ok(())
    }

    /// Lists what people said of leads, and what it teaches.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::Refused`] for a page token of another query.
    pub(crate) async fn list_validity_corrections(
        &self,
        caller: &Caller,
        request: &ListValidityCorrectionsRequest,
    ) -> Result<ListValidityCorrectionsResponse, Error> {
        let tenant = &caller.tenant;
        let query = ("validity_corrections", tenant.as_str());
        let page: Page<_, (Timestamp, Uuid)> =
            Page::parse(&self.pages, query, request.page_size, &request.page_token, LARGEST_PAGE)?;
        let mut tx = self
            .db
            .begin("list_validity_corrections", &TenantSet::one(tenant))
            .await?;
        let mut rows = validity_corrections::list(&mut tx, tenant, page.after, page.limit()).await?;
        let next_page_token = page.cut(&self.pages, &mut rows, |row| (row.correct_time.to_jiff(), row.lead_id));
        let learned = validity_corrections::learn(&mut tx, tenant).await?;
        Ok(ListValidityCorrectionsResponse {
            corrections: rows.iter().map(convert::validity::correction).collect(),
            next_page_token,
            weights: convert::validity::weights(&learned),
        })
    }
}
