//! Use cases, one file each: what an RPC, an event or a loop makes happen, with the transaction it happens in.

pub mod actions;
pub mod forget;
pub mod inbox;
pub mod messages;
pub mod notify;
pub mod preview_template;
pub mod put_channel;
pub mod put_quota;
pub mod put_template;
pub mod report_bounce;
pub mod send;
pub mod send_loop;
pub mod settings;
pub mod subscriptions;
pub mod watch_inbox;

use std::sync::Arc;

use jiff::tz::TimeZone;
use reflex_events::RelayWake;
use reflex_pg::Database;
use reflex_runtime::{clock::SharedClock, ids::SharedIds};
use reflex_sealing::Sealer;

use crate::{
    domain::{action_link::Links, channel::EndpointRules},
    wake::Wake,
};
use settings::SettingsCache;
use subscriptions::Subscribing;

/// What the use cases of the API need.
pub struct App {
    /// The service's database.
    pub database: Database,
    /// Tells when.
    pub clock: SharedClock,
    /// Gives events their ids.
    pub ids: SharedIds,
    /// Keeps channels' secrets.
    pub sealer: Sealer,
    /// Which addresses channels may have.
    pub endpoint_rules: EndpointRules,
    /// Reads the tokens of links; none where messages have no links.
    pub links: Option<Arc<Links>>,
    /// Zone in which people read times and months begin.
    pub zone: TimeZone,
    /// Words and ways of the tenants.
    pub settings: Arc<SettingsCache>,
    /// Wakes the relay after a commit with events in it.
    pub relay_wake: RelayWake,
    /// Wakes the senders after a channel changed.
    pub sender_wake: Wake,
    /// What systems outside are told with.
    pub subscribing: Subscribing,
}
