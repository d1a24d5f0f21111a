-- Definitions of calculated fields, the present and all before; none ever changes.
create table calculated_field_versions (
    tenant_id text collate "C" not null,
    field_key bigint not null,
    version integer not null,
    field_name text not null,
    alias text not null,
    formula text not null,
    create_time timestamptz not null,
    constraint calculated_field_versions_key primary key (tenant_id, field_key, version)
);
alter table calculated_field_versions enable row level security;
alter table calculated_field_versions force row level security;
create policy tenant_rows on calculated_field_versions to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert on calculated_field_versions to reflex_app;
