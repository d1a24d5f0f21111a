//! How well duplicates are found, in figures: on the leads of `tests/data/leads`, and on records made up by chance, which no
//! rule was written for.
#![cfg(test)]

mod chance;
mod figures;
mod leads;
mod people;
mod restaurants;
mod sample;
