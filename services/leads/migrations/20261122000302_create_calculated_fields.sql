-- Calculated fields as they are now.
create table calculated_fields (
    tenant_id text collate "C" not null,
    field_id text collate "C" not null,
    -- Never given again: keys of a deleted field are never taken for those of one defined later.
    field_key bigint generated always as identity,
    entity text collate "C" not null,
    version integer not null,
    field_name text collate "C" not null,
    alias text collate "C" not null,
    formula text not null,
    type text collate "C" not null,
    -- Whether every lead or account got its first value.
    ready boolean not null default false,
    update_time timestamptz not null,
    constraint calculated_fields_key primary key (tenant_id, field_id),
    constraint calculated_fields_entity_check check (entity in ('lead', 'account'))
);
create unique index calculated_fields_field_key on calculated_fields (tenant_id, field_key);
create unique index calculated_fields_name_key on calculated_fields (tenant_id, entity, field_name);
alter table calculated_fields enable row level security;
alter table calculated_fields force row level security;
create policy tenant_rows on calculated_fields to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update, delete on calculated_fields to reflex_app;
