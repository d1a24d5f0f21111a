-- What a tenant may send in a month.
create table quotas (
    tenant_id text collate "C" not null,
    -- "quotas/{quota}".
    quota text collate "C" not null,
    -- "channels/{channel}", which need not exist yet; empty for a whole kind, or for everything.
    channel text collate "C" not null,
    -- The kind whose channels are counted; empty for one channel, or for everything.
    kind text collate "C" not null,
    messages_per_month integer not null,
    reserved_for_escalations integer not null,
    -- Who is told when it is nearly used up, "members/{member}".
    administrators text[] not null,
    create_time timestamptz not null,
    update_time timestamptz not null,
    constraint quotas_key primary key (tenant_id, quota),
    constraint quotas_scope_check check (channel = '' or kind = ''),
    constraint quotas_budget_check check (
        messages_per_month >= 1 and reserved_for_escalations between 0 and messages_per_month - 1)
);
alter table quotas enable row level security;
alter table quotas force row level security;
create policy tenant_rows on quotas to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update, delete on quotas to reflex_app;
-- What is used of each, by months. Counted under the lock of the quota's row.
create table quota_uses (
    tenant_id text collate "C" not null,
    quota text collate "C" not null,
    -- For example "2026-11".
    month text collate "C" not null,
    used bigint not null,
    -- The per cent somebody was told of: 0, 80 or 100.
    told_percent smallint not null default 0,
    constraint quota_uses_key primary key (tenant_id, quota, month),
    constraint quota_uses_quota_fkey foreign key (tenant_id, quota) references quotas on delete cascade
);
alter table quota_uses enable row level security;
alter table quota_uses force row level security;
create policy tenant_rows on quota_uses to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update on quota_uses to reflex_app;
