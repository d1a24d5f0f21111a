//! What the crate promises, tested from outside. `world` is the schema of all these tests; `generate` and `reference` serve
//! the properties, and `fuzzer` serves `fuzzing`.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod analysis;
mod explanations;
mod fuzzer;
mod fuzzing;
mod generate;
mod language;
mod properties;
mod reference;
mod world;
