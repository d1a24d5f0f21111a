-- Statutory tables that a tenant imported, one a region; laid over the table that the program brings along.
create table holiday_tables (
    tenant_id text collate "C" not null,
    region text collate "C" not null,
    -- All imports of the region, later years over earlier ones.
    holidays jsonb not null,
    create_time timestamptz not null,
    update_time timestamptz not null,
    constraint holiday_tables_key primary key (tenant_id, region)
);
alter table holiday_tables enable row level security;
alter table holiday_tables force row level security;
create policy tenant_rows on holiday_tables to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update on holiday_tables to reflex_app;
