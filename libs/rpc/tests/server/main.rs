//! Servers and clients over real sockets.

#![expect(clippy::unwrap_used, reason = "a test fails where something it needs is missing")]

mod calls;
mod harness;
mod metrics;
mod traces;
