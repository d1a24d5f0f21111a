//! PostgreSQL as Reflex uses it: pools and tenant-bound transactions ([`database`]), answers of retried requests
//! ([`requests`], [`once`]), group commit ([`batcher`]), fenced shards ([`lease`]), migrations ([`migrate`]), the check that the
//! schema keeps tenants apart ([`catalogue`]), plans that stay good while tables fill ([`statistics`]) and the database's
//! time ([`clock`]).
//!
//! Does not belong here: any table of a single service.

pub mod batcher;
pub mod catalogue;
pub mod clock;
pub mod database;
pub mod error;
mod kept;
pub mod lease;
pub mod migrate;
pub mod once;
pub mod requests;
pub mod statistics;

pub use database::{AsConflict, Database, DatabaseConfig, Transaction, retried};
pub use error::DbError;
