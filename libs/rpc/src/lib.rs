//! gRPC as every Reflex service speaks it: who calls, what they may, how failures look, how a server is run and called.
//!
//! Belongs here: what is the same for all services on the wire. Does not: any service's own messages.

pub mod auth;
pub mod client;
mod deadline;
pub mod identity;
pub mod page;
pub mod permissions;
pub mod readiness;
pub mod request_id;
pub mod serve;
pub mod server;
pub mod status;
