//! Which records are about the same person, company or household, and why.
//!
//! [`Record::read`] makes what was typed comparable: telephones ([`phone`]), companies ([`company`]), people ([`person`]),
//! mailboxes ([`mailbox`]), addresses ([`address`]), codes ([`credit_code`]). [`keys`] say who may meet, [`leads`] compares
//! people at companies, [`learned`] anything by weights it learns from the records at hand, [`find`](find()) does it for many.
//! What is known of Chinese and Western names lies under `data/`.
//!
//! Nothing here reads a file, asks a clock or depends on chance: the same records give the same answer.

pub mod address;
pub mod birth_date;
pub mod company;
pub mod credit_code;
pub mod evidence;
mod find;
pub mod frequency;
pub mod keys;
pub mod leads;
pub mod learned;
pub mod mailbox;
pub mod person;
pub mod phone;
pub mod record;
pub mod similarity;
pub mod spelling;
mod tables;
pub mod text;
mod word_pairs;

pub use evidence::{Comparison, Evidence, Finding, Verdict};
pub use find::{Found, LEAST, Link, Model, Pair, find, judge};
pub use frequency::Frequencies;
pub use leads::{Scales, Weights};
pub use record::{FIELDS, Field, Record, Values};
