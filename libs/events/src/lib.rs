//! Facts between services: the [`outbox`] they are written to, the [`relay`] that carries them into Redis Streams, the
//! [`consumer`] that applies each once, and the [`dead_letters`] of those that could not be applied.
//!
//! Redis is a wire that can be refilled; PostgreSQL is where facts live.

pub mod consumer;
pub mod dead_letter_service;
pub mod dead_letters;
pub mod envelope;
pub mod outbox;
pub mod redis_client;
pub mod relay;
mod trace;
mod trim;

pub use consumer::{Consumer, Handler, HandlerError};
pub use envelope::{Envelope, NewEvent};
pub use redis_client::Redis;
pub use relay::{Relay, RelayWake};

/// Shards of every stream; facts of one subject stay in one shard.
pub const STREAM_SHARDS: i16 = 4;

/// Schema of outbox, inbox and dead letters.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();
