//! All services of Reflex in one process: for a laptop, a demo, a small site, and for tests.
//!
//! Reading order: [`services`] starts the services on databases and a Redis that are there; [`places`] makes them on
//! private servers; [`secrets`] are made once and kept beside the data.

pub mod places;
pub mod secrets;
pub mod services;

pub use places::Places;
pub use secrets::Secrets;
pub use services::{Addresses, Listeners, Options, Services};
