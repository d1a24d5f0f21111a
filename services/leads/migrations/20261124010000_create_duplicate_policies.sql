-- How each tenant's leads are compared; without a row as the program says.
create table duplicate_policies (
    tenant_id text collate "C" not null,
    definition jsonb not null,
    update_time timestamptz not null,
    constraint duplicate_policies_key primary key (tenant_id)
);
alter table duplicate_policies enable row level security;
alter table duplicate_policies force row level security;
create policy tenant_rows on duplicate_policies to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update on duplicate_policies to reflex_app;
