//! What every Reflex process needs before it does anything of its own: clock, ids, tasks, settings, telemetry, stopping.
//!
//! Belongs here: the parts of a process that know no gRPC, no database and no business. Does not: anything a single
//! service needs.

pub mod clock;
pub mod config;
pub mod ids;
pub mod lifecycle;
pub mod pace;
pub mod servers;
pub mod tasks;
pub mod telemetry;

/// Leads become many small short-lived values on both threads: the allocator of glibc took a quarter of the time that the
/// services spent under load.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
