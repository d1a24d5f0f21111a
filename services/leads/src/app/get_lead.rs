//! Showing leads, contact details only to who may see them.

use reflex_proto::leads::v1::{GetLeadResponse, Lead, ListLeadsRequest, ListLeadsResponse};
use reflex_rpc::{identity::Caller, page};
use reflex_tenancy::TenantSet;
use uuid::Uuid;

use super::{App, claim_lead::lead_name, list_duplicates, ordering::Order};
use crate::{
    convert,
    domain::{
        calculated::Entity,
        ids::{InvalidName, ResourceId},
        masking,
    },
    error::Error,
    store::{
        calculated_keys::Place,
        duplicates,
        leads::{self, Filter, LeadRow},
    },
};

const DEFAULT_PAGE: i32 = 50;
const LARGEST_PAGE: i32 = 1_000;
/// Pairs that are shown with a lead.
const MOST_DUPLICATES: i64 = 10;

impl App {
    /// Returns one lead, or the one that it was merged into.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub(crate) async fn get_lead(&self, caller: &Caller, name: &str) -> Result<GetLeadResponse, Error> {
        let id = lead_name("name", name)?;
        let mut tx = self.db.begin("get_lead", &TenantSet::one(&caller.tenant)).await?;
        let found = leads::find_survivor(&mut tx, &caller.tenant, id).await?;
        let found = found.ok_or_else(|| Error::NotFound(id.to_string()))?;
        let merged_lead = if found.lead_id == id.0 {
            String::new()
        } else {
            id.to_string()
        };
        let suspected = duplicates::list_suspected(&mut tx, &caller.tenant, found.lead_id, MOST_DUPLICATES).await?;
        Ok(GetLeadResponse {
            lead: Some(show(&found, caller)),
            merged_lead,
            duplicates: list_duplicates::show(&mut tx, caller, &suspected).await?,
        })
    }

    /// Lists leads, newest first or by a calculated field.
    ///
    /// # Errors
    /// [`Error::Violations`] for an unknown filter or field, [`Error::WrongState`] for a field that is not ready,
    /// [`Error::Refused`] for a page token of another query.
    pub(crate) async fn list_leads(
        &self,
        caller: &Caller,
        request: &ListLeadsRequest,
    ) -> Result<ListLeadsResponse, Error> {
        let filter = Filter {
            state: convert::state_filter("state", request.state).map_err(|violation| vec![violation])?,
            owner: optional("owner", &request.owner)?,
            team: optional("team", &request.team)?,
            number: parse_number(&request.number)?,
            tag: Some(request.tag.trim().to_owned()).filter(|tag| !tag.is_empty()),
        };
        let size = page::page_size(request.page_size, DEFAULT_PAGE, LARGEST_PAGE)?;
        let tenant = &caller.tenant;
        let query = ("leads", tenant.as_str(), &filter, &request.order_by);
        let mut tx = self.db.begin("list_leads", &TenantSet::one(tenant)).await?;
        let order = Order::parse(&mut tx, tenant, Entity::Lead, &request.order_by).await?;
        let (rows, next_page_token) = if let Some(order) = order {
            let after: Option<Place> = self.pages.decode(&query, &request.page_token)?;
            let mut page = order.page(after, size, filter != Filter::default());
            loop {
                let records = page.next(&mut tx, tenant).await?;
                if records.is_empty() {
                    break;
                }
                let ids: Vec<Uuid> = records.iter().filter_map(|id| Uuid::try_parse(id).ok()).collect();
                let rows = leads::list_these(&mut tx, tenant, &filter, &ids).await?;
                page.add(rows.into_iter().map(|row| (row.lead_id.to_string(), row)));
            }
            let (rows, next) = page.end();
            let next = next.map(|place| self.pages.encode(&query, &place));
            (rows, next.unwrap_or_default())
        } else {
            let before: Option<Uuid> = self.pages.decode(&query, &request.page_token)?;
            let mut rows = leads::list(&mut tx, tenant, &filter, before, size + 1).await?;
            let more = rows.len() as u64 > size.unsigned_abs();
            rows.truncate(usize::try_from(size).unwrap_or(usize::MAX));
            let next = match rows.last() {
                Some(last) if more => self.pages.encode(&query, &last.lead_id),
                _ => String::new(),
            };
            (rows, next)
        };
        Ok(ListLeadsResponse {
            leads: rows.iter().map(|row| show(row, caller)).collect(),
            next_page_token,
        })
    }
}

/// Converts a lead to what the caller may see of it.
pub(crate) fn show(row: &LeadRow, caller: &Caller) -> Lead {
    let mut lead = row.to_message();
    if !caller.may("leads.read_contact") {
        lead.phone = masking::mask_phone(&lead.phone);
        lead.email = masking::mask_email(&lead.email);
    }
    lead
}

/// Parses a resource name that may be empty.
pub(crate) fn optional<Id: ResourceId>(field: &str, name: &str) -> Result<Option<Id>, Error> {
    if name.is_empty() {
        return Ok(None);
    }
    name.parse()
        .map(Some)
        .map_err(|error: InvalidName| Error::invalid(field, error.to_string()))
}

fn parse_number(text: &str) -> Result<Option<i64>, Error> {
    if text.is_empty() {
        return Ok(None);
    }
    let digits = text.strip_prefix('L').unwrap_or(text);
    digits
        .parse()
        .map(Some)
        .map_err(|_| Error::invalid("number", "must be a lead's number, for example \"L000123\""))
}
