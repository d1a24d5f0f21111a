//! Stories over running services, one per file.

#![expect(
    clippy::unwrap_used,
    reason = "a story whose scene cannot be set fails where it stands"
)]

mod aimed_requests;
mod any_rpc;
mod bad_days;
mod bad_input;
mod cards_are_answered;
mod channels_of_each_kind;
mod chats_keep_the_contract;
mod conditions_decide;
mod dingtalk_channel;
mod disputes_are_decided;
mod email_channel;
mod feishu_channel;
mod fields_order_customers;
mod forms_have_versions;
mod furnished;
mod health_and_reflection;
mod leads_from_a_file;
mod merges_are_undone;
mod no_tenant_no_rows;
mod notifications_respect_the_limit;
mod people_are_forgotten;
mod permissions;
mod registries_keep_the_contract;
mod setup_is_exported;
mod systems_outside_are_told;
mod tags_open_the_way;
mod tenants_are_apart;
mod webhook_channel;
mod webhooks_become_leads;
mod wecom_channel;
