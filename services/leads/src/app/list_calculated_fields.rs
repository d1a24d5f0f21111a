//! Showing calculated fields.

use reflex_proto::leads::v1::{
    GetCalculatedFieldRequest, GetCalculatedFieldResponse, ListCalculatedFieldsRequest, ListCalculatedFieldsResponse,
};
use reflex_rpc::identity::Caller;
use reflex_tenancy::TenantSet;

use super::{App, list_directory::resource, paging::Page};
use crate::{
    convert,
    domain::ids::CalculatedFieldId,
    error::Error,
    store::{calculated_fields, field_recomputes},
};

const LARGEST_PAGE: i32 = 500;

impl App {
    /// Returns a field, or a version of it.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::NotFound`].
    pub(crate) async fn get_calculated_field(
        &self,
        caller: &Caller,
        request: &GetCalculatedFieldRequest,
    ) -> Result<GetCalculatedFieldResponse, Error> {
        let id: CalculatedFieldId = resource("name", &request.name)?;
        let tenant = &caller.tenant;
        let mut tx = self.db.begin("get_calculated_field", &TenantSet::one(tenant)).await?;
        let found = calculated_fields::find(&mut tx, tenant, &id).await?;
        let row = found.ok_or_else(|| Error::NotFound(id.to_string()))?;
        let recomputing = field_recomputes::list_entities(&mut tx, tenant).await?;
        let mut field = convert::fields::field(&row, &recomputing);
        let wanted = request.version;
        if wanted != 0 && wanted != row.version {
            let found = calculated_fields::find_version(&mut tx, tenant, row.field_key, wanted).await?;
            let version = found.ok_or_else(|| Error::NotFound(format!("version {wanted} of {id}")))?;
            field = convert::fields::as_of(field, wanted, version);
        }
        Ok(GetCalculatedFieldResponse { field: Some(field) })
    }

    /// Lists fields by name.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::Refused`] for a page token of another query.
    pub(crate) async fn list_calculated_fields(
        &self,
        caller: &Caller,
        request: &ListCalculatedFieldsRequest,
    ) -> Result<ListCalculatedFieldsResponse, Error> {
        let tenant = &caller.tenant;
        let query = ("calculated_fields", tenant.as_str());
        let page: Page<_, String> =
            Page::parse(&self.pages, query, request.page_size, &request.page_token, LARGEST_PAGE)?;
        let mut tx = self.db.begin("list_calculated_fields", &TenantSet::one(tenant)).await?;
        let mut rows = calculated_fields::list(&mut tx, tenant, page.after.as_deref(), page.limit()).await?;
        let next_page_token = page.cut(&self.pages, &mut rows, |row| row.id().id().to_owned());
        let recomputing = field_recomputes::list_entities(&mut tx, tenant).await?;
        let fields = rows.iter().map(|row| convert::fields::field(row, &recomputing));
        Ok(ListCalculatedFieldsResponse {
            fields: fields.collect(),
            next_page_token,
        })
    }
}
