//! Reads inboxes and confirms what was read.

use reflex_events::outbox;
use reflex_pg::once::{self, Once};
use reflex_proto::notifications::v1::{MarkInboxItemReadRequest, MarkInboxItemReadResponse};
use reflex_rpc::identity::Caller;
use reflex_runtime::telemetry;
use reflex_tenancy::{TenantId, TenantSet};
use uuid::Uuid;

use super::App;
use crate::{
    api,
    error::Error,
    events::{self, Occasion},
    store::{
        attempts::Told,
        inbox::{self, Item, Page},
        messages,
    },
};

/// Lets a caller see the inboxes of others.
pub const READ_OTHERS: &str = "inbox.read_others";

impl App {
    /// Lists items, newest first, and counts the unread ones.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_inbox_items(&self, tenant: &TenantId, page: &Page<'_>) -> Result<(Vec<Item>, i64), Error> {
        let mut tx = self.database.begin("list_inbox_items", &TenantSet::one(tenant)).await?;
        let items = inbox::list(&mut tx, tenant, page).await?;
        let unread = inbox::count_unread(&mut tx, tenant, page.recipient).await?;
        Ok((items, unread))
    }

    /// Marks an item as read and tells that its message was acknowledged; the second time nothing happens.
    ///
    /// # Errors
    /// When there is no such item, or it is somebody else's.
    pub async fn mark_inbox_item_read(
        &self,
        caller: &Caller,
        item: Uuid,
        request_id: Option<Uuid>,
        request: &MarkInboxItemReadRequest,
    ) -> Result<MarkInboxItemReadResponse, Error> {
        const METHOD: &str = "/reflex.notifications.v1.InboxService/MarkInboxItemRead";
        let tenant = &caller.tenant;
        let now = self.clock.now();
        let mut tx = self
            .database
            .begin("mark_inbox_item_read", &TenantSet::one(tenant))
            .await?;
        let claim = match once::claim(&mut tx, tenant, METHOD, request_id, request).await? {
            Once::New(claim) => claim,
            Once::Answered(response) => return Ok(response),
        };
        let absent = || Error::NotFound(request.name.clone());
        let mut found = inbox::find_for_update(&mut tx, tenant, item)
            .await?
            .ok_or_else(absent)?;
        if caller.member.as_ref() != Some(&found.recipient) && !caller.may(READ_OTHERS) {
            return Err(absent());
        }
        let is_first = found.read_time.is_none();
        if is_first {
            found.read_time = Some(now);
            inbox::mark_read(&mut tx, tenant, item, now).await?;
            let message = messages::find(&mut tx, tenant, item).await?.ok_or_else(absent)?;
            let (class, template) = (message.class, message.template);
            let told = Told {
                message: item,
                recipient: message.recipient,
                subject: message.subject,
                cause_event: message.cause_event.unwrap_or(item),
                is_digest: false,
            };
            let occasion = Occasion {
                tenant: tenant.clone(),
                id: self.ids.next(),
                time: now,
                traceparent: telemetry::current_traceparent(),
            };
            outbox::push(
                &mut tx,
                &[events::notification_acknowledged(occasion, &told, class, &template)],
            )
            .await?;
        }
        let response = MarkInboxItemReadResponse {
            item: Some(api::inbox_item(found)),
        };
        claim.answer(&mut tx, &response).await?;
        tx.commit().await?;
        if is_first {
            self.relay_wake.wake();
        }
        Ok(response)
    }
}
