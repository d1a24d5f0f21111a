//! The rules of leads: types that are right once made, and decisions that are values.
//!
//! Belongs here: what a lead, a member, a policy is, and who gets which lead by when. Does not: how any of it is sent,
//! stored or announced; nothing here reads a clock, a file or a database.
//!
//! Reading order: what there is ([`ids`], [`lead`], [`new_lead`], [`member`], [`directory`]); who gets a lead ([`assign`],
//! which asks [`catalogue`] and [`names`], [`routing`], [`distribution`] and answers with a [`decision`]); what follows
//! ([`claim`], [`due`] by a [`ladder`], [`escalation`], [`follow_up`]). Beside it forms ([`form`], [`form_schema`],
//! [`submission`]), signed bodies ([`webhook`]) and files ([`lead_file`], what their rows do to a [`known_lead`],
//! [`member_file`]); when leads go back to the [`pool`]
//! and which [`tags`] they get, at the capture and for the [`lead_fact`]s that come later.
//! Which leads may be the same is told by [`duplicates`].
//! What channels cost ([`channel_cost`]) and bring ([`first_order`]) is a [`channel_report`].
//! Whether a lead looks like one says [`validity`]. Which leads go to salespeople at all says the [`gate`], which asks lists that come as files ([`gate_file`]).
//! What formulas make of leads and their [`account`]s is [`calculated`], over the [`lead_fields`] that conditions read, too.

pub mod account;
pub mod assign;
pub mod calculated;
pub mod catalogue;
pub mod channel_cost;
pub mod channel_report;
pub mod claim;
pub mod contact;
pub mod customer;
pub mod decision;
pub mod decision_map;
pub mod device;
pub mod directory;
pub mod distribution;
pub mod due;
pub mod duplicates;
pub mod escalation;
pub mod first_order;
pub mod follow_up;
pub mod form;
pub mod form_schema;
pub mod gate;
pub mod gate_file;
pub mod ids;
pub mod industry;
pub mod known_lead;
pub mod ladder;
pub mod lead;
pub mod lead_fact;
pub mod lead_fields;
pub mod lead_file;
pub mod leave;
pub mod masking;
pub mod member;
pub mod member_change;
pub mod member_file;
pub mod merge;
pub mod month;
pub mod names;
pub mod new_lead;
pub mod ownership;
pub mod pool;
pub mod relation;
pub mod routing;
pub mod subject;
pub mod submission;
pub mod tags;
pub mod tree;
pub mod validity;
pub mod violation;
pub mod webhook;
pub mod why_not;
