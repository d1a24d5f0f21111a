//! reflex-tests

pub mod bench;
pub mod demo;
pub mod simulator;
pub mod suite;
pub mod web;
