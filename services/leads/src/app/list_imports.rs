//! Showing imports, and keeping one from going on.

use jiff::Timestamp;
use reflex_pg::{
    once::{self, Once},
    retried,
};
use reflex_proto::leads::v1::{
    CancelImportRequest, CancelImportResponse, GetImportRequest, GetImportResponse, ListImportsRequest,
    ListImportsResponse,
};
use reflex_rpc::{identity::Caller, request_id::RequestId};
use reflex_tenancy::TenantSet;
use uuid::Uuid;

use super::{App, list_directory::resource, paging::Page, undo_import::lock};
use crate::{convert, domain::ids::ImportId, error::Error, store::lead_imports};

const LARGEST_PAGE: i32 = 500;

impl App {
    /// Returns an import.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::NotFound`].
    pub(crate) async fn get_import(
        &self,
        caller: &Caller,
        request: &GetImportRequest,
    ) -> Result<GetImportResponse, Error> {
        let id: ImportId = resource("name", &request.name)?;
        let mut tx = self.db.begin("get_import", &TenantSet::one(&caller.tenant)).await?;
        let found = lead_imports::find(&mut tx, &caller.tenant, id).await?;
        let found = found.ok_or_else(|| Error::NotFound(id.to_string()))?;
        Ok(GetImportResponse {
            import: Some(convert::import::import(&found, self.clock.now())),
        })
    }

    /// Lists imports, newest first.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::Refused`] for a page token of another query.
    pub(crate) async fn list_imports(
        &self,
        caller: &Caller,
        request: &ListImportsRequest,
    ) -> Result<ListImportsResponse, Error> {
        let tenant = &caller.tenant;
        let query = ("imports", tenant.as_str());
        let page: Page<_, (Timestamp, Uuid)> =
            Page::parse(&self.pages, query, request.page_size, &request.page_token, LARGEST_PAGE)?;
        let mut tx = self.db.begin("list_imports", &TenantSet::one(tenant)).await?;
        let mut rows = lead_imports::list(&mut tx, tenant, page.after, page.limit()).await?;
        let next_page_token = page.cut(&self.pages, &mut rows, |row| (row.create_time.to_jiff(), row.import_id));
        let now = self.clock.now();
        Ok(ListImportsResponse {
            imports: rows.iter().map(|row| convert::import::import(row, now)).collect(),
            next_page_token,
        })
    }

    /// Keeps an import from going on.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::NotFound`], [`Error::WrongState`] for one that is complete or undone.
    pub(crate) async fn cancel_import(
        &self,
        caller: &Caller,
        request: &CancelImportRequest,
    ) -> Result<CancelImportResponse, Error> {
        let id: ImportId = resource("name", &request.name)?;
        let request_id = RequestId::parse(&request.request_id)?;
        retried(|| self.cancel_once(caller, id, request_id, request)).await
    }

    async fn cancel_once(
        &self,
        caller: &Caller,
        id: ImportId,
        request_id: Option<Uuid>,
        request: &CancelImportRequest,
    ) -> Result<CancelImportResponse, Error> {
        let (tenant, now) = (&caller.tenant, self.clock.now());
        let mut tx = self.db.begin("cancel_import", &TenantSet::one(tenant)).await?;
        let claimed = match once::claim(&mut tx, tenant, "CancelImport", request_id, request).await? {
            Once::Answered(response) => return Ok(response),
            Once::New(claim) => claim,
        };
        let row = lock(&mut tx, caller, id).await?;
        if row.complete_time.is_some() {
            return Err(Error::WrongState(format!("{id} is complete; undo it")));
        }
        if row.undo_time.is_some() {
            return Err(Error::WrongState(format!("{id} is undone")));
        }
        lead_imports::cancel(&mut tx, tenant, id, now).await?;
        let row = lead_imports::get(&mut tx, tenant, id).await?;
        let response = CancelImportResponse {
            import: Some(convert::import::import(&row, now)),
        };
        claimed.answer(&mut tx, &response).await?;
        tx.commit().await?;
        Ok(response)
    }
}
