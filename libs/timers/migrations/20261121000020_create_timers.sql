-- What has to happen later, from seconds to years ahead; a row lives until its effect is committed with its deletion.
create table timers (
    tenant_id text collate "C" not null,
    kind text collate "C" not null,
    -- What the timer is about, for example "leads/{lead}/2".
    key text collate "C" not null,
    shard smallint not null,
    due_time timestamptz not null,
    payload jsonb not null,
    traceparent text,
    -- Failed tries so far; each puts the due time off.
    attempts integer not null default 0,
    last_error text,
    constraint timers_key primary key (tenant_id, kind, key)
);
create index timers_due_index on timers (shard, due_time);
alter table timers enable row level security;
alter table timers force row level security;
create policy tenant_rows on timers to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
create policy due_rows on timers for select to reflex_worker using (true);
grant select, insert, update, delete on timers to reflex_app;
grant select on timers to reflex_worker;
