-- When leads go back to the pool, and how many a member may pick from it: one policy a tenant.
create table pool_policies (
    tenant_id text collate "C" not null,
    definition jsonb not null,
    update_time timestamptz not null,
    constraint pool_policies_key primary key (tenant_id)
);
alter table pool_policies enable row level security;
alter table pool_policies force row level security;
create policy tenant_rows on pool_policies to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update on pool_policies to reflex_app;
