//! Leads: from a form to the person who calls.

pub mod domain;
