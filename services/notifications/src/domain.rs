//! Rules of telling people things: how much a channel may take ([`budget`]), what is
//! merged ([`merge`]), what people can do with a message by its links ([`action`], [`action_link`]), when a failed message is
//! tried again ([`retry`]), what a channel must look like ([`channel`], [`account`]) and can take ([`capability`]), where it may
//! lead ([`address`]), what may be sent in a month ([`quota`]), what a mail server sends back ([`bounce`]), when to keep off full
//! hours ([`jitter`]), which facts systems outside are told and when again ([`subscription`]).
//!
//! Words are in `reflex-templates`.
//!
//! Pure: no transport, no store, no clock.

pub mod account;
pub mod action;
pub mod action_link;
pub mod address;
pub mod bounce;
pub mod budget;
pub mod capability;
pub mod channel;
pub mod jitter;
pub mod merge;
pub mod message;
pub mod quota;
pub mod retry;
pub mod subscription;

/// What is wrong with a field of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Path of the field, for example "template.body".
    pub field: &'static str,
    /// What is wrong, in one sentence.
    pub description: String,
}

impl Problem {
    pub(crate) fn new(field: &'static str, description: impl Into<String>) -> Self {
        Self {
            field,
            description: description.into(),
        }
    }
}
