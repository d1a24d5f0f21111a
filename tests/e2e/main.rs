//! Stories over running services, one per file.

#![expect(
    clippy::unwrap_used,
    reason = "a story whose scene cannot be set fails where it stands"
)]

mod dingtalk_channel;
mod notifications_respect_the_limit;
