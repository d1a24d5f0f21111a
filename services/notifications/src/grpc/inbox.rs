//! `InboxService`.

use std::{pin::Pin, time::Duration};

use futures_util::{Stream, stream};
use reflex_proto::notifications::v1::{
    ListInboxItemsRequest, ListInboxItemsResponse, MarkInboxItemReadRequest, MarkInboxItemReadResponse,
    WatchInboxRequest, WatchInboxResponse, inbox_service_server::InboxService,
};
use reflex_rpc::{
    identity::Caller,
    page::page_size,
    status::{self, Violations, denied},
};
use tonic::{Request, Response, Status};

use super::{Rpc, check_name, cut, request_id, uuid_of};
use crate::{
    api,
    app::{inbox::READ_OTHERS, watch_inbox::Ended},
    store::inbox::Page,
};

/// When a reader whose stream ended may come back.
const RETRY_AFTER: Duration = Duration::from_secs(1);

#[tonic::async_trait]
impl InboxService for Rpc {
    async fn list_inbox_items(
        &self,
        request: Request<ListInboxItemsRequest>,
    ) -> Result<Response<ListInboxItemsResponse>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let recipient = whose(&caller, &request.recipient)?;
        let size = page_size(request.page_size, 50, 500)?;
        let query = ("inbox", &caller.tenant, &recipient, request.unread_only);
        let page = Page {
            recipient: &recipient,
            unread_only: request.unread_only,
            before: self.pages.decode(&query, &request.page_token)?,
            limit: size + 1,
        };
        let (mut items, unread) = self.app.list_inbox_items(&caller.tenant, &page).await?;
        let next_page_token = cut(&self.pages, &query, size, &mut items, |item| item.sequence);
        Ok(Response::new(ListInboxItemsResponse {
            items: items.into_iter().map(api::inbox_item).collect(),
            next_page_token,
            unread_count: i32::try_from(unread).unwrap_or(i32::MAX),
        }))
    }

    type WatchInboxStream = Pin<Box<dyn Stream<Item = Result<WatchInboxResponse, Status>> + Send>>;

    async fn watch_inbox(
        &self,
        request: Request<WatchInboxRequest>,
    ) -> Result<Response<Self::WatchInboxStream>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let recipient = whose(&caller, &request.recipient)?;
        let query = ("watch", caller.tenant.clone(), recipient);
        let after: Option<i64> = self.pages.decode(&query, &request.resume_token)?;
        let subscription = self.watchers.watch(&caller.tenant, &query.2, after).await?;
        let pages = self.pages.clone();
        let responses = stream::unfold(Some(subscription), move |subscription| {
            let (pages, query) = (pages.clone(), query.clone());
            async move {
                let mut subscription = subscription?;
                match subscription.next().await {
                    Ok(item) => {
                        let response = WatchInboxResponse {
                            resume_token: pages.encode(&query, &item.sequence),
                            item: Some(api::inbox_item(item)),
                        };
                        Some((Ok(response), Some(subscription)))
                    }
                    Err(Ended::TooSlow) => Some((Err(status::overloaded(RETRY_AFTER)), None)),
                    Err(Ended::Stopping) => Some((Err(status::unavailable(RETRY_AFTER)), None)),
                }
            }
        });
        Ok(Response::new(Box::pin(responses)))
    }

    async fn mark_inbox_item_read(
        &self,
        request: Request<MarkInboxItemReadRequest>,
    ) -> Result<Response<MarkInboxItemReadResponse>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let mut violations = Violations::default();
        let request_id = request_id(&request.request_id, &mut violations);
        violations.finish()?;
        let item = uuid_of("inboxItems/", &request.name)?;
        let response = self
            .app
            .mark_inbox_item_read(&caller, item, request_id, &request)
            .await?;
        Ok(Response::new(response))
    }
}

/// Returns whose inbox is asked for; that of others only for those who may.
fn whose(caller: &Caller, asked: &str) -> Result<String, Status> {
    let mut violations = Violations::default();
    if asked.is_empty() {
        if let Some(member) = &caller.member {
            return Ok(member.clone());
        }
        violations.add("recipient", "must be set, as the token names no member");
    } else {
        check_name(&mut violations, "recipient", "members/", asked);
    }
    violations.finish()?;
    if caller.member.as_deref() == Some(asked) || caller.may(READ_OTHERS) {
        Ok(asked.to_owned())
    } else {
        Err(denied(READ_OTHERS))
    }
}
