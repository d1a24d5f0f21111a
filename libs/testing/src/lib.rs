//! What tests stand on: a real PostgreSQL and Redis shared by a run ([`Backends`]), a database and a key prefix for
//! each test ([`TestDatabase`], [`TestRedis`]), waiting for a state ([`eventually()`]), a clock and ids under control.
//!
//! Does not belong here: anything that knows a service. Builders of a service's objects live with its tests.

mod backends;
mod database;
mod eventually;
mod logs;
mod redis;

use jiff::Timestamp;

pub use backends::Backends;
pub use database::TestDatabase;
pub use eventually::{Seen, eventually};
pub use logs::show_logs;
pub use redis::TestRedis;
pub use reflex_runtime::{clock::FixedClock, ids::SeededIds};

/// Returns the time tests begin at: Monday, 2 March 2026, 09:30 in Shanghai, a working hour of an ordinary week.
///
/// # Panics
/// Never.
#[must_use]
pub fn fixture_time() -> Timestamp {
    "2026-03-02T09:30:00+08:00".parse().expect("a well-formed time")
}
