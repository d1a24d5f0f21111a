-- Events whose effect is committed, so that each is applied once.
create table inbox (
    tenant_id text collate "C" not null,
    event_id uuid not null,
    create_time timestamptz not null default now(),
    constraint inbox_key primary key (tenant_id, event_id)
);
create index inbox_create_time_index on inbox using brin (create_time);
alter table inbox enable row level security;
alter table inbox force row level security;
create policy tenant_rows on inbox to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
create policy expired_rows on inbox to reflex_worker using (true);
grant select, insert on inbox to reflex_app;
grant select (create_time), delete on inbox to reflex_worker;
