-- Which roles have to be reached by when after the first contact: one policy a tenant.
create table decision_map_policies (
    tenant_id text collate "C" not null,
    definition jsonb not null,
    update_time timestamptz not null,
    constraint decision_map_policies_key primary key (tenant_id)
);
alter table decision_map_policies enable row level security;
alter table decision_map_policies force row level security;
create policy tenant_rows on decision_map_policies to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update on decision_map_policies to reflex_app;
