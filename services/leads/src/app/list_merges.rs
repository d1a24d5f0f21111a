//! Showing merges.

use reflex_proto::leads::v1::{
    GetMergeRequest, GetMergeResponse, ListMergesRequest, ListMergesResponse, MergeConflict,
};
use reflex_rpc::identity::Caller;
use reflex_tenancy::TenantSet;
use uuid::Uuid;

use super::{App, get_lead::optional, list_directory::resource, paging::Page, unmerge_leads::Undoing};
use crate::{
    convert,
    domain::{
        ids::{LeadId, MergeId},
        masking,
    },
    error::Error,
    store::merges,
};

const LARGEST_PAGE: i32 = 500;

impl App {
    /// Returns a merge, and what undoing it would ask.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::NotFound`].
    pub(crate) async fn get_merge(
        &self,
        caller: &Caller,
        request: &GetMergeRequest,
    ) -> Result<GetMergeResponse, Error> {
        let id: MergeId = resource("name", &request.name)?;
        let tenant = &caller.tenant;
        let mut tx = self.db.begin("get_merge", &TenantSet::one(tenant)).await?;
        let found = merges::find(&mut tx, tenant, id).await?;
        let merge = found.ok_or_else(|| Error::NotFound(id.to_string()))?;
        let conflicts = if merge.unmerge_time.is_some() {
            Vec::new()
        } else {
            match Undoing::load(&mut tx, tenant, id).await {
                Ok(undoing) => undoing.conflicts(),
                // The survivor was merged as well, or somebody undid this one just now: there is nothing to decide.
                Err(Error::WrongState(_)) => Vec::new(),
                Err(error) => return Err(error),
            }
        };
        let shows_contact = caller.may("leads.read_contact");
        Ok(GetMergeResponse {
            merge: Some(convert::merge::merge(&merge)),
            conflicts: conflicts
                .into_iter()
                .map(|conflict| if shows_contact { conflict } else { masked(conflict) })
                .collect(),
        })
    }

    /// Lists merges, newest first.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::Refused`] for a page token of another query.
    pub(crate) async fn list_merges(
        &self,
        caller: &Caller,
        request: &ListMergesRequest,
    ) -> Result<ListMergesResponse, Error> {
        let tenant = &caller.tenant;
        let lead: Option<LeadId> = optional("lead", &request.lead)?;
        let query = ("merges", tenant.as_str(), lead);
        let page: Page<_, Uuid> =
            Page::parse(&self.pages, query, request.page_size, &request.page_token, LARGEST_PAGE)?;
        let mut tx = self.db.begin("list_merges", &TenantSet::one(tenant)).await?;
        let mut rows = merges::list(&mut tx, tenant, lead, page.after, page.limit()).await?;
        let next_page_token = page.cut(&self.pages, &mut rows, |row| row.merge_id);
        Ok(ListMergesResponse {
            merges: rows.iter().map(convert::merge::merge).collect(),
            next_page_token,
        })
    }
}

fn masked(mut conflict: MergeConflict) -> MergeConflict {
    let mask = match conflict.name.as_str() {
        "phone" => masking::mask_phone,
        "email" => masking::mask_email,
        _ => return conflict,
    };
    conflict.kept_value = mask(&conflict.kept_value);
    conflict.restored_value = mask(&conflict.restored_value);
    conflict
}
