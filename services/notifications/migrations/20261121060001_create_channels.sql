-- Ways out of the system; the inbox needs no row.
create table channels (
    tenant_id text collate "C" not null,
    -- "channels/{channel}".
    channel text collate "C" not null,
    kind text not null,
    -- Address with its token, encrypted with the service's key; the row's keys are authenticated with it.
    endpoint bytea not null,
    -- The address as it is shown, without its token.
    endpoint_shown text not null,
    -- Signing secret, encrypted likewise; null when there is none.
    secret bytea,
    -- Teams whose members it serves; empty serves everybody.
    teams text[] not null,
    messages_per_minute integer not null,
    reserved_for_escalations integer not null,
    enabled boolean not null,
    -- Until when the provider refuses everything because its limit was crossed.
    locked_until timestamptz,
    -- Failed attempts in a row.
    failures integer not null default 0,
    -- When the next attempt may be made while attempts keep failing.
    probe_time timestamptz,
    create_time timestamptz not null,
    update_time timestamptz not null,
    constraint channels_key primary key (tenant_id, channel),
    constraint channels_kind_check check (kind in ('dingtalk_robot')),
    constraint channels_budget_check check (
        messages_per_minute between 1 and 20 and reserved_for_escalations between 0 and messages_per_minute - 1)
);
alter table channels enable row level security;
alter table channels force row level security;
create policy tenant_rows on channels to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
create policy worked_rows on channels for select to reflex_worker using (true);
grant select, insert, update on channels to reflex_app;
grant select (tenant_id, channel, enabled) on channels to reflex_worker;
