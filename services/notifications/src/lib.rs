//! reflex-notifications

pub mod channels;
