//! Showing accounts.

use reflex_proto::leads::v1::{GetAccountRequest, GetAccountResponse, ListAccountsRequest, ListAccountsResponse};
use reflex_rpc::{identity::Caller, page};
use reflex_tenancy::TenantSet;

use super::{App, list_directory::resource, ordering::Order, paging::Page};
use crate::{
    convert,
    domain::{calculated::Entity, ids::AccountId},
    error::Error,
    store::{accounts, calculated_keys::Place},
};

const DEFAULT_PAGE: i32 = 100;
const LARGEST_PAGE: i32 = 500;

impl App {
    /// Returns one account.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::NotFound`].
    pub(crate) async fn get_account(
        &self,
        caller: &Caller,
        request: &GetAccountRequest,
    ) -> Result<GetAccountResponse, Error> {
        let id: AccountId = resource("name", &request.name)?;
        let mut tx = self.db.begin("get_account", &TenantSet::one(&caller.tenant)).await?;
        let found = accounts::find(&mut tx, &caller.tenant, &id).await?;
        let row = found.ok_or_else(|| Error::NotFound(id.to_string()))?;
        Ok(GetAccountResponse {
            account: Some(convert::account::account(&row)),
        })
    }

    /// Lists accounts by key or by a calculated field.
    ///
    /// # Errors
    /// [`Error::Violations`] for an unknown field, [`Error::WrongState`] for one that is not ready, [`Error::Refused`] for a
    /// page token of another query.
    pub(crate) async fn list_accounts(
        &self,
        caller: &Caller,
        request: &ListAccountsRequest,
    ) -> Result<ListAccountsResponse, Error> {
        let tenant = &caller.tenant;
        let mut tx = self.db.begin("list_accounts", &TenantSet::one(tenant)).await?;
        let order = Order::parse(&mut tx, tenant, Entity::Account, &request.order_by).await?;
        let query = ("accounts", tenant.as_str(), &request.order_by);
        let (rows, next_page_token) = if let Some(order) = order {
            let size = page::page_size(request.page_size, DEFAULT_PAGE, LARGEST_PAGE)?;
            let after: Option<Place> = self.pages.decode(&query, &request.page_token)?;
            let mut page = order.page(after, size, false);
            loop {
                let keys = page.next(&mut tx, tenant).await?;
                if keys.is_empty() {
                    break;
                }
                let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
                let rows = accounts::list_these(&mut tx, tenant, &keys).await?;
                page.add(rows.into_iter().map(|row| (row.key().to_owned(), row)));
            }
            let (rows, next) = page.end();
            let next = next.map(|place| self.pages.encode(&query, &place));
            (rows, next.unwrap_or_default())
        } else {
            let page: Page<_, String> =
                Page::parse(&self.pages, query, request.page_size, &request.page_token, LARGEST_PAGE)?;
            let mut rows = accounts::list(&mut tx, tenant, page.after.as_deref(), page.limit()).await?;
            let next = page.cut(&self.pages, &mut rows, |row| row.key().to_owned());
            (rows, next)
        };
        Ok(ListAccountsResponse {
            accounts: rows.iter().map(convert::account::account).collect(),
            next_page_token,
        })
    }
}
