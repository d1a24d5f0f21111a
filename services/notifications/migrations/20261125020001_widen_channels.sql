-- Mail, text messages and applications of chats, which tell single people.
alter table channels
    drop constraint channels_kind_check,
    drop constraint channels_budget_check,
    -- As whom to sign in: a user, an access key's id, an app key, a corp id; empty where the address says it all.
    add column account text not null default '',
    -- In whose name messages come: an address, a signature, the number of an agent.
    add column sender text not null default '',
    -- Code of the provider's template, of text messages only.
    add column template text not null default '',
    add constraint channels_kind_check check (kind in ('dingtalk_robot', 'wecom_robot', 'feishu_robot', 'webhook', 'email',
        'sms', 'dingtalk_notice', 'wecom_app')),
    add constraint channels_budget_check check (
        messages_per_minute between 1 and case kind when 'dingtalk_robot' then 20 when 'wecom_robot' then 20
            when 'feishu_robot' then 100 else 600 end
        and reserved_for_escalations between 0 and messages_per_minute - 1);
