//! Listing and counting what is kept from salespeople.

use std::collections::HashMap;

use reflex_proto::leads::v1::{KeptCount, KeptLead, ListNurtureRequest, ListNurtureResponse};
use reflex_rpc::identity::Caller;
use reflex_tenancy::TenantSet;
use sqlx::types::Json;
use uuid::Uuid;

use super::{App, get_lead::show, paging::Page};
use crate::{
    convert,
    domain::lead::State,
    error::Error,
    store::{
        lead_gates,
        leads::{self, Filter, LeadRow},
    },
};

const LARGEST_PAGE: i32 = 500;
const REASONS: [&str; 5] = ["gate", "hold_over", "stale", "manual", "invalid"];

impl App {
    /// Lists kept leads, newest first.
    ///
    /// # Errors
    /// [`Error::Violations`] for an unknown state or reason, [`Error::Refused`] for a page token of another query.
    pub(crate) async fn list_nurture(
        &self,
        caller: &Caller,
        request: &ListNurtureRequest,
    ) -> Result<ListNurtureResponse, Error> {
        let tenant = &caller.tenant;
        let state = convert::state_filter("state", request.state).map_err(|violation| vec![violation])?;
        let state = state.unwrap_or(State::Nurture);
        if !state.is_aside() {
            return Err(Error::invalid("state", "must be one in which leads are kept"));
        }
        let kept_for = Some(request.kept_for.as_str()).filter(|word| !word.is_empty());
        if kept_for.is_some_and(|word| !REASONS.contains(&word)) {
            return Err(Error::invalid(
                "kept_for",
                format!("must be one of {}", REASONS.join(", ")),
            ));
        }
        let query = ("nurture", tenant.as_str(), state, kept_for.unwrap_or_default());
        let page: Page<_, Uuid> =
            Page::parse(&self.pages, query, request.page_size, &request.page_token, LARGEST_PAGE)?;
        let mut tx = self.db.begin("list_nurture", &TenantSet::one(tenant)).await?;
        let filter = (state, kept_for);
        let mut kept = lead_gates::list_kept(&mut tx, tenant, filter, page.after, page.limit()).await?;
        let next_page_token = page.cut(&self.pages, &mut kept, |row| row.lead_id);
        let ids: Vec<Uuid> = kept.iter().map(|row| row.lead_id).collect();
        let rows = leads::list_these(&mut tx, tenant, &Filter::default(), &ids).await?;
        let rows: HashMap<Uuid, LeadRow> = rows.into_iter().map(|row| (row.lead_id, row)).collect();
        let listed = kept.iter().filter_map(|row| {
            let lead = rows.get(&row.lead_id)?;
            let said = row.judgement.as_ref().map(|Json(judgement)| judgement.summary());
            let looks = || row.validity.as_ref().map(|Json(validity)| validity.reasons.join(", "));
            let summary = said.or_else(looks);
            Some(KeptLead {
                lead: Some(show(lead, caller)),
                kept_for: row.kept_for.clone().unwrap_or_default(),
                since: row.since.map(|since| convert::timestamp(since.to_jiff())),
                summary: summary.unwrap_or_default(),
            })
        });
        let leads = listed.collect();
        let counts = lead_gates::count_kept(&mut tx, tenant).await?;
        let counts = counts.into_iter().map(|(state, kept_for, count)| KeptCount {
            state: State::find(&state).map(convert::state).unwrap_or_default().into(),
            kept_for,
            count,
        });
        let unconverted_count = self.count_unconverted(&mut tx, tenant, self.clock.now()).await?;
        Ok(ListNurtureResponse {
            leads,
            next_page_token,
            counts: counts.collect(),
            unconverted_count,
        })
    }
}
