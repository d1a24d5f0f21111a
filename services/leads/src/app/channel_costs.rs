//! What channels cost, and the first orders that their leads led to.

use reflex_pg::once::{self, Once};
use reflex_proto::leads::v1::{
    ListChannelCostsRequest, ListChannelCostsResponse, PutChannelCostRequest, PutChannelCostResponse,
    RecordFirstOrderRequest, RecordFirstOrderResponse,
};
use reflex_rpc::{identity::Caller, request_id::RequestId};
use reflex_tenancy::TenantSet;

use super::{App, claim_lead::lead_name, paging::Page};
use crate::{
    convert,
    domain::{
        channel_cost::{ChannelCost, MAX_COSTS},
        first_order::FirstOrder,
        ids::LeadId,
    },
    error::Error,
    store::{channels, leads},
};

const LARGEST_PAGE: i32 = 500;

impl App {
    /// Creates or replaces a cost.
    ///
    /// # Errors
    /// [`Error::Violations`].
    pub(crate) async fn put_channel_cost(
        &self,
        caller: &Caller,
        request: &PutChannelCostRequest,
    ) -> Result<PutChannelCostResponse, Error> {
        let sent = request.channel_cost.as_ref();
        let sent = sent.ok_or_else(|| Error::invalid("channel_cost", "must be given"))?;
        let cost = ChannelCost::parse(&convert::channel::raw_cost(sent))?;
        let request_id = RequestId::parse(&request.request_id)?;
        let tenant = &caller.tenant;
        let mut tx = self.db.begin("put_channel_cost", &TenantSet::one(tenant)).await?;
        let claim = match once::claim(&mut tx, tenant, "put_channel_cost", request_id, request).await? {
            Once::Answered(response) => return Ok(response),
            Once::New(claim) => claim,
        };
        let row = channels::put_cost(&mut tx, tenant, &cost, (MAX_COSTS, self.clock.now())).await?;
        let row = row.ok_or_else(|| {
            let description =
                format!("已有 {MAX_COSTS} 项成本，不能再多 / there are {MAX_COSTS} costs already, the limit");
            Error::invalid("channel_cost.name", description)
        })?;
        let response = PutChannelCostResponse {
            channel_cost: Some(convert::channel::cost(&row)),
        };
        claim.answer(&mut tx, &response).await?;
        tx.commit().await?;
        Ok(response)
    }

    /// Lists costs by name.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::Refused`] for a page token of another query.
    pub(crate) async fn list_channel_costs(
        &self,
        caller: &Caller,
        request: &ListChannelCostsRequest,
    ) -> Result<ListChannelCostsResponse, Error> {
        let tenant = &caller.tenant;
        let query = ("channel_costs", tenant.as_str());
        let page: Page<_, String> =
            Page::parse(&self.pages, query, request.page_size, &request.page_token, LARGEST_PAGE)?;
        let mut tx = self.db.begin("list_channel_costs", &TenantSet::one(tenant)).await?;
        let mut rows = channels::list_costs(&mut tx, tenant, page.after.as_deref(), page.limit()).await?;
        let next_page_token = page.cut(&self.pages, &mut rows, |row| row.cost().id.id().to_owned());
        Ok(ListChannelCostsResponse {
            channel_costs: rows.iter().map(convert::channel::cost).collect(),
            next_page_token,
        })
    }

    /// Keeps the first order of a lead.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Violations`].
    pub(crate) async fn record_first_order(
        &self,
        caller: &Caller,
        request: &RecordFirstOrderRequest,
    ) -> Result<RecordFirstOrderResponse, Error> {
        let sent = request.first_order.as_ref();
        let sent = sent.ok_or_else(|| Error::invalid("first_order", "must be given"))?;
        let named = lead_name("first_order.lead", &sent.lead)?;
        let time = sent.order_time.as_ref();
        let time = time
            .map(|at| convert::instant("first_order.order_time", at))
            .transpose();
        let time = time.map_err(|violation| vec![violation])?;
        let now = self.clock.now();
        let order = FirstOrder::parse(&sent.order, time, sent.amount_fen, now)?;
        let request_id = RequestId::parse(&request.request_id)?;
        let tenant = &caller.tenant;
        let mut tx = self.db.begin("record_first_order", &TenantSet::one(tenant)).await?;
        let claim = match once::claim(&mut tx, tenant, "record_first_order", request_id, request).await? {
            Once::Answered(response) => return Ok(response),
            Once::New(claim) => claim,
        };
        let survivor = leads::find_survivor(&mut tx, tenant, named).await?;
        let survivor = survivor.ok_or_else(|| Error::NotFound(named.to_string()))?;
        let lead = LeadId(survivor.lead_id);
        // Locked, so that two that are told at once are compared; a merge waits for it.
        leads::find_for_update(&mut tx, tenant, lead).await?;
        let captured = channels::find_capture_time(&mut tx, tenant, lead).await?;
        if captured.is_some_and(|captured| order.time < captured) {
            let description = "must not be before the lead was captured";
            return Err(Error::invalid("first_order.order_time", description));
        }
        let stored = channels::list_orders(&mut tx, tenant, lead).await?;
        let own = stored.iter().find(|(own, _)| *own).map(|(_, order)| order.clone());
        let kept = order.or_earlier(own.clone());
        if own.as_ref() != Some(&kept) {
            channels::put_order(&mut tx, tenant, lead, &kept, now).await?;
        }
        let others = stored.into_iter().filter(|(own, _)| !own).map(|(_, order)| order);
        let stands = others.fold(kept, |stands, other| other.or_earlier(Some(stands)));
        let response = RecordFirstOrderResponse {
            first_order: Some(convert::channel::first_order(lead, stands)),
        };
        claim.answer(&mut tx, &response).await?;
        tx.commit().await?;
        Ok(response)
    }
}
