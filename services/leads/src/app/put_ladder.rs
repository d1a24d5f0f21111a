//! Creating, changing and listing escalation ladders.

use reflex_proto::leads::v1::{ListLaddersRequest, ListLaddersResponse, PutLadderRequest, PutLadderResponse};
use reflex_rpc::identity::Caller;
use reflex_tenancy::TenantSet;

use super::{App, change_setup::Begun, paging::Page};
use crate::{convert, domain::ladder::Ladder, error::Error, store::ladders};

const LARGEST_PAGE: i32 = 500;

impl App {
    /// Creates or changes a ladder; clocks that run keep the steps they started with.
    ///
    /// # Errors
    /// [`Error::Violations`], also for a product line that does not exist or has another ladder.
    pub(crate) async fn put_ladder(
        &self,
        caller: &Caller,
        request: &PutLadderRequest,
    ) -> Result<PutLadderResponse, Error> {
        let ladder = request
            .ladder
            .as_ref()
            .ok_or_else(|| Error::invalid("ladder", "must be given"))?;
        let ladder = Ladder::parse(&convert::routing::raw_ladder(ladder).map_err(|violation| vec![violation])?)?;
        let mut change = match self
            .begin_change("put_ladder", caller, &request.request_id, request)
            .await?
        {
            Begun::Answered(response) => return Ok(response),
            Begun::New(change) => change,
        };
        let products = &change.before.directory.products;
        if let Some(unknown) = ladder
            .product
            .as_ref()
            .filter(|product| products.find(product).is_none())
        {
            return Err(Error::invalid("ladder.product", format!("{unknown} does not exist")));
        }
        let stored = ladders::list(&mut change.tx, &change.tenant, None, None).await?;
        if let Some(other) = stored
            .iter()
            .find(|it| it.id != ladder.id && it.product == ladder.product)
        {
            return Err(Error::invalid(
                "ladder.product",
                format!("{} is for the same leads", other.id),
            ));
        }
        if !stored.contains(&ladder) {
            ladders::put(&mut change.tx, &change.tenant, &ladder, self.clock.now()).await?;
            change.publish().await?;
        }
        let response = PutLadderResponse {
            ladder: Some(convert::routing::ladder(&ladder)),
        };
        self.commit_change(change, &response).await?;
        Ok(response)
    }

    /// Lists ladders by name.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::Refused`] for a page token of another query.
    pub(crate) async fn list_ladders(
        &self,
        caller: &Caller,
        request: &ListLaddersRequest,
    ) -> Result<ListLaddersResponse, Error> {
        let query = ("ladders", caller.tenant.as_str());
        let page: Page<_, String> =
            Page::parse(&self.pages, query, request.page_size, &request.page_token, LARGEST_PAGE)?;
        let mut tx = self.db.begin("list_ladders", &TenantSet::one(&caller.tenant)).await?;
        let mut ladders = ladders::list(&mut tx, &caller.tenant, page.after.as_deref(), Some(page.limit())).await?;
        let next_page_token = page.cut(&self.pages, &mut ladders, |ladder| ladder.id.id().to_owned());
        Ok(ListLaddersResponse {
            ladders: ladders.iter().map(convert::routing::ladder).collect(),
            next_page_token,
        })
    }
}
