//! reflex-tests

pub mod bench;
pub mod simulator;
pub mod suite;
