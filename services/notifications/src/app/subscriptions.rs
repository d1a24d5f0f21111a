//! Facts for systems outside. Reading order: `catalogue` (what there is to tell), `listeners` (who wants what), `fan_out` (from a
//! fact to its deliveries), `dispatch` (from a delivery to the endpoint), then what the API does: `put`, `manage`, `replay`,
//! `ping`.

pub mod catalogue;
pub mod dispatch;
pub mod fan_out;
pub mod listeners;
pub mod manage;
pub mod ping;
pub mod put;
pub mod replay;

use std::sync::Arc;

use crate::{channels::http::HttpClient, wake::Wake};
use listeners::Listeners;

/// What the use cases about subscriptions need besides.
#[derive(Clone)]
pub struct Subscribing {
    /// Who listens.
    pub listeners: Arc<Listeners>,
    /// Goes to endpoints.
    pub http: HttpClient,
    /// Wakes those who send.
    pub wake: Wake,
}
