//! Showing members, teams, territories, products and leaves.

use jiff::Timestamp;
use reflex_proto::leads::v1::{
    GetMemberResponse, ListLeavesRequest, ListLeavesResponse, ListMembersRequest, ListMembersResponse,
    ListProductsRequest, ListProductsResponse, ListTeamsRequest, ListTeamsResponse, ListTerritoriesRequest,
    ListTerritoriesResponse,
};
use reflex_rpc::identity::Caller;
use reflex_tenancy::TenantSet;

use super::{App, paging::Page};
use crate::{
    convert::directory as messages,
    domain::{
        catalogue::Node,
        ids::{InvalidName, LeaveId, MemberId, ResourceId, TeamId},
    },
    error::Error,
    store::{catalogues, catalogues::Catalogued, leaves, members, teams},
};

const LARGEST_PAGE: i32 = 1_000;

impl App {
    /// Returns one member.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Violations`].
    pub(crate) async fn get_member(&self, caller: &Caller, name: &str) -> Result<GetMemberResponse, Error> {
        let id: MemberId = resource("name", name)?;
        let mut tx = self.db.begin("get_member", &TenantSet::one(&caller.tenant)).await?;
        let stored = members::find(&mut tx, &caller.tenant, &id).await?;
        let stored = stored.ok_or_else(|| Error::NotFound(id.to_string()))?;
        Ok(GetMemberResponse {
            member: Some(messages::member(&stored.member, stored.open_leads)),
        })
    }

    /// Lists members by name.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::Refused`] for a page token of another query.
    pub(crate) async fn list_members(
        &self,
        caller: &Caller,
        request: &ListMembersRequest,
    ) -> Result<ListMembersResponse, Error> {
        let team: Option<TeamId> = optional("team", &request.team)?;
        let query = ("members", caller.tenant.as_str(), &request.team);
        let page: Page<_, String> =
            Page::parse(&self.pages, query, request.page_size, &request.page_token, LARGEST_PAGE)?;
        let filter = members::Filter {
            team: team.as_ref(),
            after: page.after.as_deref(),
            limit: Some(page.limit()),
        };
        let mut tx = self.db.begin("list_members", &TenantSet::one(&caller.tenant)).await?;
        let mut stored = members::list(&mut tx, &caller.tenant, &filter).await?;
        let next_page_token = page.cut(&self.pages, &mut stored, |stored| stored.member.id.id().to_owned());
        let members = stored
            .iter()
            .map(|stored| messages::member(&stored.member, stored.open_leads))
            .collect();
        Ok(ListMembersResponse {
            members,
            next_page_token,
        })
    }

    /// Lists teams by name.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::Refused`] for a page token of another query.
    pub(crate) async fn list_teams(
        &self,
        caller: &Caller,
        request: &ListTeamsRequest,
    ) -> Result<ListTeamsResponse, Error> {
        let query = ("teams", caller.tenant.as_str());
        let page: Page<_, String> =
            Page::parse(&self.pages, query, request.page_size, &request.page_token, LARGEST_PAGE)?;
        let mut tx = self.db.begin("list_teams", &TenantSet::one(&caller.tenant)).await?;
        let mut teams = teams::list(&mut tx, &caller.tenant, page.after.as_deref(), Some(page.limit())).await?;
        let next_page_token = page.cut(&self.pages, &mut teams, |team| team.id.id().to_owned());
        Ok(ListTeamsResponse {
            teams: teams.iter().map(messages::team).collect(),
            next_page_token,
        })
    }

    /// Lists territories by name.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::Refused`] for a page token of another query.
    pub(crate) async fn list_territories(
        &self,
        caller: &Caller,
        request: &ListTerritoriesRequest,
    ) -> Result<ListTerritoriesResponse, Error> {
        let asked = (request.page_size, request.page_token.as_str());
        let (nodes, next_page_token) = self.list_nodes("list_territories", caller, asked).await?;
        Ok(ListTerritoriesResponse {
            territories: nodes.iter().map(messages::territory).collect(),
            next_page_token,
        })
    }

    /// Lists products and product lines by name.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::Refused`] for a page token of another query.
    pub(crate) async fn list_products(
        &self,
        caller: &Caller,
        request: &ListProductsRequest,
    ) -> Result<ListProductsResponse, Error> {
        let asked = (request.page_size, request.page_token.as_str());
        let (nodes, next_page_token) = self.list_nodes("list_products", caller, asked).await?;
        Ok(ListProductsResponse {
            products: nodes.iter().map(messages::product).collect(),
            next_page_token,
        })
    }

    async fn list_nodes<Id: Catalogued>(
        &self,
        name: &'static str,
        caller: &Caller,
        (size, token): (i32, &str),
    ) -> Result<(Vec<Node<Id>>, String), Error> {
        let query = (name, caller.tenant.as_str());
        let page: Page<_, String> = Page::parse(&self.pages, query, size, token, LARGEST_PAGE)?;
        let mut tx = self.db.begin(name, &TenantSet::one(&caller.tenant)).await?;
        let mut nodes = catalogues::list(&mut tx, &caller.tenant, page.after.as_deref(), Some(page.limit())).await?;
        let next_page_token = page.cut(&self.pages, &mut nodes, |node: &Node<Id>| node.id.id().to_owned());
        Ok((nodes, next_page_token))
    }

    /// Lists leaves, latest start first.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::Refused`] for a page token of another query.
    pub(crate) async fn list_leaves(
        &self,
        caller: &Caller,
        request: &ListLeavesRequest,
    ) -> Result<ListLeavesResponse, Error> {
        let member: Option<MemberId> = optional("member", &request.member)?;
        let query = ("leaves", caller.tenant.as_str(), &request.member);
        let page: Page<_, (Timestamp, LeaveId)> =
            Page::parse(&self.pages, query, request.page_size, &request.page_token, LARGEST_PAGE)?;
        let mut tx = self.db.begin("list_leaves", &TenantSet::one(&caller.tenant)).await?;
        let mut leaves = leaves::page(&mut tx, &caller.tenant, member.as_ref(), page.after, page.limit()).await?;
        let next_page_token = page.cut(&self.pages, &mut leaves, |leave| (leave.start, leave.id));
        Ok(ListLeavesResponse {
            leaves: leaves.iter().map(messages::leave).collect(),
            next_page_token,
        })
    }
}

/// Parses a resource name.
pub(crate) fn resource<Id: ResourceId>(field: &str, name: &str) -> Result<Id, Error> {
    name.parse()
        .map_err(|error: InvalidName| Error::invalid(field, error.to_string()))
}

/// Parses a resource name that may be empty.
fn optional<Id: ResourceId>(field: &str, name: &str) -> Result<Option<Id>, Error> {
    if name.is_empty() {
        Ok(None)
    } else {
        resource(field, name).map(Some)
    }
}
