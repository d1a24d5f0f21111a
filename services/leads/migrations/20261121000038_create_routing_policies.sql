-- Versions of a tenant's routing policy; none ever changes, and the highest is the active one.
create table routing_policies (
    tenant_id text collate "C" not null,
    version integer not null,
    definition jsonb not null,
    create_time timestamptz not null,
    constraint routing_policies_key primary key (tenant_id, version)
);
alter table routing_policies enable row level security;
alter table routing_policies force row level security;
create policy tenant_rows on routing_policies to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert on routing_policies to reflex_app;
