//! reflex-tests

pub mod simulator;
