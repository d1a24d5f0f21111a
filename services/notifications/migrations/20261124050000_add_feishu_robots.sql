-- Feishu robots take a hundred messages a minute.
alter table channels
    drop constraint channels_kind_check,
    drop constraint channels_budget_check,
    add constraint channels_kind_check check (kind in ('dingtalk_robot', 'wecom_robot', 'feishu_robot', 'webhook')),
    add constraint channels_budget_check check (
        messages_per_minute between 1 and case kind when 'webhook' then 600 when 'feishu_robot' then 100 else 20 end
        and reserved_for_escalations between 0 and messages_per_minute - 1);
