//! Hosts a service with a database: opens what every such service needs, in the order that is safe, and runs its loops and
//! its server until it is told to stop.
//!
//! Belongs here: what is the same for all of them. Does not: what a service does.

mod config;
mod foundation;
mod program;

pub use config::{AuthConfig, FoundationConfig, RedisConfig, ServerConfig};
pub use foundation::{Environment, Foundation, Schema};
pub use program::{Program, run};
