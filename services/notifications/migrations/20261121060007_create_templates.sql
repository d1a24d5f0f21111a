-- A tenant's own words; the highest version of a key and language is the active one.
create table templates (
    tenant_id text collate "C" not null,
    key text collate "C" not null,
    locale text collate "C" not null,
    version integer not null,
    title text not null,
    body text not null,
    create_time timestamptz not null,
    constraint templates_key primary key (tenant_id, key, locale, version)
);
alter table templates enable row level security;
alter table templates force row level security;
create policy tenant_rows on templates to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert on templates to reflex_app;
