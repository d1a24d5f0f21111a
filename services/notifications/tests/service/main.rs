//! The service on a real PostgreSQL and Redis, without and with its server.

#![expect(clippy::unwrap_used, reason = "a test fails where something it needs is missing")]

mod actions;
mod api;
mod crashes;
mod dead_letters;
mod endpoints;
mod erasing;
mod facts;
mod forgetting;
mod inbox;
mod ledger;
mod months;
mod scene;
mod sending;
mod served;
mod subscriptions;
mod telling;
mod templates;
