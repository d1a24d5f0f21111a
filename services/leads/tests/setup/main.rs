//! What a tenant sets up, over the real server, with a real PostgreSQL and Redis.
#![cfg(test)]

mod calendars;
mod channels;
mod customers;
mod decision_map;
mod directory;
mod duplicates;
mod effects;
mod fields;
mod form_versions;
mod forms;
mod gate;
mod harness;
mod import;
mod import_undo;
mod industries;
mod lead_import;
mod leaves;
mod merging;
mod nurture;
mod ownership;
mod poison;
mod policies;
mod policy_checks;
mod policy_tables;
mod privacy;
mod routing;
mod snapshot;
mod tags;
mod validity;
mod watch;
mod webhooks;
