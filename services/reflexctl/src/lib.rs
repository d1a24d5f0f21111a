//! `reflexctl`: Reflex from the command line, and bundles for whoever sets up a tenant by program.
//!
//! [`bundle`] reads YAML, [`connection`] finds the services, [`apply`] compares and puts. Everything else is the command
//! line: [`cli`] says what can be typed, `commands` does it, `output` prints.

pub mod apply;
pub mod bundle;
pub mod connection;

mod dynamic;
mod failure;
