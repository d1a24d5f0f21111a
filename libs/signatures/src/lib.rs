//! Signatures and envelopes of messages between us and others: what we send, and what comes in.
//!
//! - [`standard_webhooks`]: other programs, both ways, with a shared secret or a pair of Ed25519 keys;
//! - [`dingtalk`]: robots of `DingTalk` groups;
//! - [`feishu`]: robots of Feishu groups, and events that Feishu sends;
//! - [`aliyun`]: text messages by Aliyun;
//! - [`callback`]: what `WeCom` and `DingTalk` send to an application, encrypted.
//!
//! Belongs here: keys, signing, verifying, encrypting, decrypting. Does not: HTTP, and what a message says.

pub mod aliyun;
pub mod callback;
pub mod dingtalk;
pub mod feishu;
pub mod standard_webhooks;
