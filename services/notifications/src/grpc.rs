//! The RPCs: parse, call, convert; no rules, no SQL. One file a service.

mod actions;
mod channels;
mod inbox;
mod messages;
mod subscriptions;
mod templates;

use std::sync::Arc;

use reflex_events::dead_letter_service::DeadLetters;
use reflex_proto::{
    notifications::v1::{
        action_service_server::ActionServiceServer, channel_service_server::ChannelServiceServer,
        inbox_service_server::InboxServiceServer, message_service_server::MessageServiceServer,
        subscription_service_server::SubscriptionServiceServer, template_service_server::TemplateServiceServer,
    },
    platform::v1::dead_letter_service_server::DeadLetterServiceServer,
};
use reflex_rpc::{
    page::PageTokens,
    request_id::RequestId,
    status::{Violations, not_found},
};
use serde::Serialize;
use tonic::{Status, service::Routes};
use uuid::Uuid;

use crate::{
    app::{App, watch_inbox::Watchers},
    events::LeadEvents,
};

/// Full names of the services served.
pub const SERVICES: &[&str] = &[
    "reflex.notifications.v1.ActionService",
    "reflex.notifications.v1.ChannelService",
    "reflex.notifications.v1.InboxService",
    "reflex.notifications.v1.MessageService",
    "reflex.notifications.v1.SubscriptionService",
    "reflex.notifications.v1.TemplateService",
    "reflex.platform.v1.DeadLetterService",
];

/// Proto packages that reflection shows.
pub const PACKAGES: &[&str] = &["reflex.notifications.v1", "reflex.platform.v1"];

/// What is behind a gRPC service.
#[derive(Clone)]
pub struct Rpc {
    /// The use cases.
    pub app: Arc<App>,
    /// Those who watch inboxes.
    pub watchers: Arc<Watchers>,
    /// Makes page and resume tokens.
    pub pages: PageTokens,
}

/// Returns all handlers.
#[must_use]
pub fn routes(rpc: &Rpc, dead_letters: DeadLetters<Arc<LeadEvents>>) -> Routes {
    let mut routes = Routes::builder();
    routes
        .add_service(ActionServiceServer::new(rpc.clone()))
        .add_service(ChannelServiceServer::new(rpc.clone()))
        .add_service(InboxServiceServer::new(rpc.clone()))
        .add_service(MessageServiceServer::new(rpc.clone()))
        .add_service(SubscriptionServiceServer::new(rpc.clone()))
        .add_service(TemplateServiceServer::new(rpc.clone()))
        .add_service(DeadLetterServiceServer::new(dead_letters));
    routes.routes()
}

/// Cuts what was read (one item more than a page) to the page and returns the token of the next one, empty at the end.
fn cut<T, C: Serialize>(
    pages: &PageTokens,
    query: &impl Serialize,
    size: i64,
    items: &mut Vec<T>,
    cursor: impl Fn(&T) -> C,
) -> String {
    let size = usize::try_from(size).expect("a page size is positive");
    if items.len() <= size {
        return String::new();
    }
    items.truncate(size);
    items
        .last()
        .map(|last| pages.encode(query, &cursor(last)))
        .unwrap_or_default()
}

/// Reads the id of a resource that is named by a UUID; what is no such name does not exist.
fn uuid_of(prefix: &str, name: &str) -> Result<Uuid, Status> {
    let id = name.strip_prefix(prefix).filter(|id| id.len() == 36);
    id.and_then(|id| id.parse().ok()).ok_or_else(|| not_found(name))
}

/// Reads a request id.
fn request_id(text: &str, violations: &mut Violations) -> Option<Uuid> {
    RequestId::parse(text).unwrap_or_else(|violation| {
        violations.push(violation);
        None
    })
}

/// Checks a name such as "members/zhang.wei".
fn check_name(violations: &mut Violations, field: &str, prefix: &str, name: &str) {
    let is_sign = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-');
    let id = name.strip_prefix(prefix).unwrap_or_default();
    if id.is_empty() || id.len() > 64 || !id.bytes().all(is_sign) {
        violations.add(
            field,
            format!("must be \"{prefix}\" and 1 to 64 letters, digits, dots, dashes, underscores"),
        );
    }
}
