-- Every try to deliver an event.
create table delivery_attempts (
    tenant_id text collate "C" not null,
    subscription text collate "C" not null,
    sequence bigint not null,
    -- From 1.
    number integer not null,
    outcome text collate "C" not null,
    -- HTTP status; 0 without an answer.
    status integer not null,
    detail text not null,
    latency_microseconds bigint not null,
    create_time timestamptz not null,
    constraint delivery_attempts_key primary key (tenant_id, subscription, sequence, number),
    constraint delivery_attempts_outcome_check check (outcome in ('delivered', 'retry_later', 'gone'))
);
create index delivery_attempts_create_time_index on delivery_attempts using brin (create_time);
alter table delivery_attempts enable row level security;
alter table delivery_attempts force row level security;
create policy tenant_rows on delivery_attempts to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
create policy worked_rows on delivery_attempts to reflex_worker using (true);
grant select, insert, delete on delivery_attempts to reflex_app;
grant select (tenant_id, create_time), delete on delivery_attempts to reflex_worker;
