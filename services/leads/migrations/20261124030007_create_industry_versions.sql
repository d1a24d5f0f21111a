-- Versions of the tree of industries; none ever changes.
create table industry_versions (
    tenant_id text collate "C" not null,
    version integer not null,
    title text not null,
    industry_count integer not null,
    -- Hash of the tree, by which it is known again.
    digest bytea not null,
    create_time timestamptz not null,
    constraint industry_versions_key primary key (tenant_id, version)
);
alter table industry_versions enable row level security;
alter table industry_versions force row level security;
create policy tenant_rows on industry_versions to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert on industry_versions to reflex_app;
