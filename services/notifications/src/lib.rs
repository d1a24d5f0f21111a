//! reflex-notifications

pub mod channels;
pub mod domain;
pub mod store;
