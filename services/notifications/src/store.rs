//! SQL of the service, one file per table or question. Every function takes the connection of a transaction that is bound
//! to its tenants, except those of the worker role, which say so.

pub mod answers;
pub mod attempts;
pub mod channels;
pub mod deliveries;
pub mod dispatching;
pub mod erasing;
pub mod inbox;
pub mod messages;
pub mod quotas;
pub mod recipients;
pub mod reservations;
pub mod retention;
pub mod sending;
pub mod stops;
pub mod subscription_events;
pub mod subscriptions;
pub mod templates;
pub mod withdrawing;

use reflex_tenancy::TenantId;

/// Schema of the service, besides those of the libraries it uses.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

fn tenant(text: &str) -> TenantId {
    text.parse().expect("only valid tenants are written")
}
