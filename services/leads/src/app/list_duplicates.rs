//! Showing pairs of leads that may be the same.

use std::collections::{BTreeSet, HashMap};

use reflex_proto::leads::v1::{
    Duplicate, DuplicateLead, GetDuplicateRequest, GetDuplicateResponse, ListDuplicatesRequest, ListDuplicatesResponse,
};
use reflex_rpc::identity::Caller;
use reflex_tenancy::TenantSet;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{App, get_lead::optional, list_directory::resource, paging::Page};
use crate::{
    convert,
    domain::ids::DuplicateId,
    error::Error,
    store::duplicates::{self, DuplicateRow, Filter},
};

const LARGEST_PAGE: i32 = 500;

impl App {
    /// Returns a pair.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::NotFound`].
    pub(crate) async fn get_duplicate(
        &self,
        caller: &Caller,
        request: &GetDuplicateRequest,
    ) -> Result<GetDuplicateResponse, Error> {
        let id: DuplicateId = resource("name", &request.name)?;
        let tenant = &caller.tenant;
        let mut tx = self.db.begin("get_duplicate", &TenantSet::one(tenant)).await?;
        let found = duplicates::find(&mut tx, tenant, id).await?;
        let found = found.ok_or_else(|| Error::NotFound(id.to_string()))?;
        Ok(GetDuplicateResponse {
            duplicate: show(&mut tx, caller, &[found]).await?.pop(),
        })
    }

    /// Lists pairs, newest first.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::Refused`] for a page token of another query.
    pub(crate) async fn list_duplicates(
        &self,
        caller: &Caller,
        request: &ListDuplicatesRequest,
    ) -> Result<ListDuplicatesResponse, Error> {
        let tenant = &caller.tenant;
        if !(0.0..=1.0).contains(&request.least_score) {
            return Err(Error::invalid("least_score", "must be between 0 and 1"));
        }
        let filter = Filter {
            state: convert::duplicates::state_filter(request.state).map_err(|violation| vec![violation])?,
            lead: optional("lead", &request.lead)?,
            least_score: request.least_score,
        };
        let query = ("duplicates", tenant.as_str(), &filter);
        let page: Page<_, Uuid> =
            Page::parse(&self.pages, query, request.page_size, &request.page_token, LARGEST_PAGE)?;
        let mut tx = self.db.begin("list_duplicates", &TenantSet::one(tenant)).await?;
        let mut rows = duplicates::list(&mut tx, tenant, &filter, page.after, page.limit()).await?;
        let next_page_token = page.cut(&self.pages, &mut rows, |row| row.duplicate_id);
        Ok(ListDuplicatesResponse {
            duplicates: show(&mut tx, caller, &rows).await?,
            next_page_token,
        })
    }
}

/// Converts pairs to what the caller may see of them.
pub(super) async fn show(
    tx: &mut PgConnection,
    caller: &Caller,
    rows: &[DuplicateRow],
) -> Result<Vec<Duplicate>, Error> {
    let leads: BTreeSet<Uuid> = rows.iter().flat_map(|row| [row.earlier_id, row.later_id]).collect();
    let leads: Vec<Uuid> = leads.into_iter().collect();
    let sides = if leads.is_empty() {
        Vec::new()
    } else {
        duplicates::list_sides(tx, &caller.tenant, &leads).await?
    };
    let sides: HashMap<Uuid, DuplicateLead> = sides
        .iter()
        .map(|row| (row.lead_id, convert::duplicates::side(row, caller)))
        .collect();
    Ok(rows
        .iter()
        .map(|row| convert::duplicates::duplicate(row, &sides))
        .collect())
}
