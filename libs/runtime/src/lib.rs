//! What every Reflex process needs before it does anything of its own: clock, ids, tasks, settings, telemetry, stopping.
//!
//! Belongs here: the parts of a process that know no gRPC, no database and no business. Does not: anything a single
//! service needs.

pub mod clock;
pub mod config;
pub mod ids;
pub mod lifecycle;
pub mod servers;
pub mod tasks;
pub mod telemetry;
