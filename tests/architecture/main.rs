//! The rules of this workspace that no compiler checks. Each has a test that it holds for the tree as it is, and a test
//! that it finds what it forbids.
//!
//! Rules: [`crates`] (who may depend on whom), [`sources`] (Rust files), [`rooms`] (what every service has),
//! [`migrations`] (SQL). Readers: [`tree`] (files and manifests), [`rust`] and [`sql`] (text without its comments and
//! literals). Nothing here needs a network or a server.
#![cfg(test)]

mod crates;
mod migrations;
mod rooms;
mod rust;
mod sources;
mod sql;
mod tree;

/// Fails with every finding on a line of its own.
#[track_caller]
fn assert_none(findings: &[String]) {
    assert!(
        findings.is_empty(),
        "{} findings:\n{}",
        findings.len(),
        findings.join("\n")
    );
}
