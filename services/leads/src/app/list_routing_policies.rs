//! Showing versions of the policy, and when which of them became active.

use reflex_proto::leads::v1::{
    GetRoutingPolicyResponse, ListRoutingPoliciesRequest, ListRoutingPoliciesResponse,
    ListRoutingPolicyActivationsRequest, ListRoutingPolicyActivationsResponse,
};
use reflex_rpc::identity::Caller;
use reflex_tenancy::{TenantId, TenantSet};
use sqlx::PgConnection;

use super::{App, paging::Page};
use crate::{
    convert,
    domain::routing::PolicySpec,
    error::Error,
    store::policies::{self, Slice, VersionRow},
};

const LARGEST_PAGE: i32 = 500;

impl App {
    /// Returns a version of the policy, the active one for 0.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub(crate) async fn get_routing_policy(
        &self,
        caller: &Caller,
        version: i32,
    ) -> Result<GetRoutingPolicyResponse, Error> {
        let tenant = &caller.tenant;
        let mut tx = self.db.begin("get_routing_policy", &TenantSet::one(tenant)).await?;
        let (version, spec) = find_policy(&mut tx, tenant, version).await?;
        let row = find_version(&mut tx, tenant, version).await?;
        Ok(GetRoutingPolicyResponse {
            policy: Some(convert::routing::policy(version, &spec)),
            version: Some(convert::routing::version(&row)),
        })
    }

    /// Reads a version of the policy, the active one for 0, in a transaction of its own.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub(crate) async fn stored_policy(&self, tenant: &TenantId, version: i32) -> Result<(i32, PolicySpec), Error> {
        let mut tx = self.db.begin("read_routing_policy", &TenantSet::one(tenant)).await?;
        find_policy(&mut tx, tenant, version).await
    }

    /// Lists versions, newest first.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::Refused`] for a page token of another query.
    pub(crate) async fn list_routing_policies(
        &self,
        caller: &Caller,
        request: &ListRoutingPoliciesRequest,
    ) -> Result<ListRoutingPoliciesResponse, Error> {
        let tenant = &caller.tenant;
        let query = ("routing_policies", tenant.as_str());
        let page: Page<_, i32> = Page::parse(&self.pages, query, request.page_size, &request.page_token, LARGEST_PAGE)?;
        let slice = Slice {
            before: page.after,
            limit: page.limit(),
        };
        let mut tx = self.db.begin("list_routing_policies", &TenantSet::one(tenant)).await?;
        let mut rows = policies::list(&mut tx, tenant, None, slice).await?;
        let next_page_token = page.cut(&self.pages, &mut rows, |row| row.version);
        Ok(ListRoutingPoliciesResponse {
            versions: rows.iter().map(convert::routing::version).collect(),
            next_page_token,
        })
    }

    /// Lists activations, latest first.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::Refused`] for a page token of another query.
    pub(crate) async fn list_routing_policy_activations(
        &self,
        caller: &Caller,
        request: &ListRoutingPolicyActivationsRequest,
    ) -> Result<ListRoutingPolicyActivationsResponse, Error> {
        let tenant = &caller.tenant;
        let query = ("policy_activations", tenant.as_str());
        let page: Page<_, i32> = Page::parse(&self.pages, query, request.page_size, &request.page_token, LARGEST_PAGE)?;
        let slice = Slice {
            before: page.after,
            limit: page.limit(),
        };
        let mut tx = self
            .db
            .begin("list_routing_policy_activations", &TenantSet::one(tenant))
            .await?;
        let mut rows = policies::list_activations(&mut tx, tenant, slice).await?;
        let next_page_token = page.cut(&self.pages, &mut rows, |row| row.number);
        Ok(ListRoutingPolicyActivationsResponse {
            activations: rows.iter().map(convert::routing::activation).collect(),
            next_page_token,
        })
    }
}

async fn find_policy(tx: &mut PgConnection, tenant: &TenantId, version: i32) -> Result<(i32, PolicySpec), Error> {
    let wanted = (version != 0).then_some(version);
    let found = policies::find(tx, tenant, wanted).await?;
    found.ok_or_else(|| match wanted {
        Some(version) => unknown_version(version),
        None => Error::NotFound("an active routing policy".into()),
    })
}

/// Returns what is known of a version beside its content.
///
/// # Errors
/// [`Error::NotFound`].
pub(crate) async fn find_version(tx: &mut PgConnection, tenant: &TenantId, version: i32) -> Result<VersionRow, Error> {
    let slice = Slice { before: None, limit: 1 };
    let rows = policies::list(tx, tenant, Some(version), slice).await?;
    rows.into_iter().next().ok_or_else(|| unknown_version(version))
}

fn unknown_version(version: i32) -> Error {
    Error::NotFound(format!("version {version} of the routing policy"))
}
