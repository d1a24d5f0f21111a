-- The industries of each version.
create table industries (
    tenant_id text collate "C" not null,
    version integer not null,
    code text collate "C" not null,
    parent text collate "C",
    name_zh text not null,
    name_en text not null,
    level smallint not null,
    constraint industries_key primary key (tenant_id, version, code),
    constraint industries_version_fkey foreign key (tenant_id, version)
        references industry_versions (tenant_id, version)
);
alter table industries enable row level security;
alter table industries force row level security;
create policy tenant_rows on industries to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert on industries to reflex_app;
