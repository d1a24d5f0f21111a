//! The rules of leads: types that are right once made, and decisions that are values.
//!
//! Belongs here: what a lead, a member, a policy is, and who gets which lead by when. Does not: how any of it is sent,
//! stored or announced; nothing here reads a clock, a file or a database.
//!
//! Reading order: [`ids`], [`lead`], [`new_lead`], [`claim`]; [`member`], [`directory`] with [`tree`], [`names`] and
//! [`catalogue`].

pub mod assign;
pub mod catalogue;
pub mod claim;
pub mod decision;
pub mod directory;
pub mod distribution;
pub mod ids;
pub mod lead;
pub mod leave;
pub mod masking;
pub mod member;
pub mod names;
pub mod new_lead;
pub mod routing;
pub mod tree;
pub mod violation;
