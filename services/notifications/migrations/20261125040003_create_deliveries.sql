-- Which event goes to which subscription: one row for both, so nothing is written twice.
create table deliveries (
    tenant_id text collate "C" not null,
    subscription text collate "C" not null,
    -- That of the event.
    sequence bigint not null,
    event uuid not null,
    -- Deliveries of one subject go one after the other.
    subject text collate "C" not null,
    state text collate "C" not null default 'pending',
    reason text not null default '',
    attempts integer not null default 0,
    -- Failed attempts since it was last asked for.
    failures integer not null default 0,
    -- Not sent before.
    next_attempt_time timestamptz not null,
    create_time timestamptz not null,
    deliver_time timestamptz,
    constraint deliveries_key primary key (tenant_id, subscription, sequence),
    constraint deliveries_state_check check (state in ('pending', 'delivered', 'failed'))
);
create index deliveries_pending_index on deliveries (tenant_id, subscription, sequence) where state = 'pending';
create index deliveries_subject_index on deliveries (tenant_id, subscription, subject, sequence) where state = 'pending';
create index deliveries_create_time_index on deliveries using brin (create_time);
alter table deliveries enable row level security;
alter table deliveries force row level security;
create policy tenant_rows on deliveries to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
create policy worked_rows on deliveries to reflex_worker using (true) with check (true);
grant select, insert, update, delete on deliveries to reflex_app;
grant select (tenant_id, subscription, sequence, state, next_attempt_time, create_time), update (state, reason), delete
    on deliveries to reflex_worker;
