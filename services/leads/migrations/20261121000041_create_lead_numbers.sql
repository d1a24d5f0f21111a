-- The next number of each tenant's leads.
create table lead_numbers (
    tenant_id text collate "C" not null,
    next bigint not null,
    constraint lead_numbers_key primary key (tenant_id)
);
alter table lead_numbers enable row level security;
alter table lead_numbers force row level security;
create policy tenant_rows on lead_numbers to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update on lead_numbers to reflex_app;
