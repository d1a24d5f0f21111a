//! Publishing what a form asks, and showing what it asked.

use reflex_proto::leads::v1::{
    FormSchema, GetFormVersionResponse, ListFormVersionsRequest, ListFormVersionsResponse, PublishFormRequest,
    PublishFormResponse,
};
use reflex_rpc::identity::Caller;
use reflex_tenancy::TenantSet;

use super::{
    App,
    change_setup::{Begun, Change},
    list_directory::resource,
    paging::Page,
};
use crate::{
    convert,
    domain::{
        form_schema::{Schema, Version},
        ids::FormId,
    },
    error::Error,
    store::{form_versions, forms},
};

const LARGEST_PAGE: i32 = 50;

impl App {
    /// Publishes a schema as the form's next version, or finds that it is the newest already.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::NotFound`].
    pub(crate) async fn publish_form(
        &self,
        caller: &Caller,
        request: &PublishFormRequest,
    ) -> Result<PublishFormResponse, Error> {
        let id: FormId = resource("name", &request.name)?;
        let nothing = FormSchema::default();
        let schema = convert::form::parse_schema("schema", request.schema.as_ref().unwrap_or(&nothing))?;
        let mut change = match self
            .begin_change("publish_form", caller, &request.request_id, request)
            .await?
        {
            Begun::Answered(response) => return Ok(response),
            Begun::New(change) => change,
        };
        if forms::find(&mut change.tx, &change.tenant, &id).await?.is_none() {
            return Err(Error::NotFound(id.to_string()));
        }
        let version = self.publish(&mut change, &id, schema).await?;
        let response = PublishFormResponse {
            version: Some(convert::form::version(&id, &version)),
        };
        self.commit_change(change, &response).await?;
        Ok(response)
    }

    /// Writes the version inside a change, which nobody else makes to the tenant's setup meanwhile: numbers have no gaps.
    pub(super) async fn publish(&self, change: &mut Change, form: &FormId, schema: Schema) -> Result<Version, Error> {
        let newest = form_versions::find(&mut change.tx, &change.tenant, form, None).await?;
        if let Some(newest) = newest.as_ref().filter(|newest| newest.schema == schema) {
            return Ok(newest.clone());
        }
        let version = Version {
            number: newest.map_or(1, |newest| newest.number + 1),
            schema,
            create_time: self.clock.now(),
        };
        form_versions::insert(&mut change.tx, &change.tenant, form, &version).await?;
        Ok(version)
    }

    /// Returns one version of a form.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::NotFound`].
    pub(crate) async fn get_form_version(&self, caller: &Caller, name: &str) -> Result<GetFormVersionResponse, Error> {
        let (form, number) = parse_name(name)?;
        let tenants = TenantSet::one(&caller.tenant);
        let mut tx = self.db.begin("get_form_version", &tenants).await?;
        let version = form_versions::find(&mut tx, &caller.tenant, &form, Some(number)).await?;
        let version = version.ok_or_else(|| Error::NotFound(format!("{form}/versions/{number}")))?;
        Ok(GetFormVersionResponse {
            version: Some(convert::form::version(&form, &version)),
        })
    }

    /// Lists the versions of a form, newest first.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::Refused`] for a page token of another query.
    pub(crate) async fn list_form_versions(
        &self,
        caller: &Caller,
        request: &ListFormVersionsRequest,
    ) -> Result<ListFormVersionsResponse, Error> {
        let form: FormId = resource("parent", &request.parent)?;
        let query = ("form_versions", caller.tenant.as_str(), form.id());
        // A page of the largest schemas still fits into one answer.
        let size = if request.page_size == 0 { 20 } else { request.page_size };
        let page: Page<_, i32> = Page::parse(&self.pages, query, size, &request.page_token, LARGEST_PAGE)?;
        let tenants = TenantSet::one(&caller.tenant);
        let mut tx = self.db.begin("list_form_versions", &tenants).await?;
        let mut versions = form_versions::list(&mut tx, &caller.tenant, &form, page.after, page.limit()).await?;
        let next_page_token = page.cut(&self.pages, &mut versions, |version| version.number);
        let versions = versions.iter().map(|version| convert::form::version(&form, version));
        Ok(ListFormVersionsResponse {
            versions: versions.collect(),
            next_page_token,
        })
    }
}

fn parse_name(name: &str) -> Result<(FormId, i32), Error> {
    let parts = name.split_once("/versions/").and_then(|(form, number)| {
        let version: i32 = number.parse().ok()?;
        // One spelling only: neither a plus nor zeros in front.
        let is_name = version > 0 && version.to_string() == number;
        Some((form.parse().ok()?, version)).filter(|_| is_name)
    });
    parts.ok_or_else(|| Error::invalid("name", "must be \"forms/{form}/versions/{version}\""))
}
