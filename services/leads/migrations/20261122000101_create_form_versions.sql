-- What forms ask, as it was published. Rows are never changed: leads keep the version they were checked against, so nobody
-- but the owner may update or delete them.
create table form_versions (
    tenant_id text collate "C" not null,
    form_id text collate "C" not null,
    -- 1, 2, 3 … for each form; the largest is the one that counts.
    version integer not null,
    schema jsonb not null,
    create_time timestamptz not null,
    constraint form_versions_key primary key (tenant_id, form_id, version),
    constraint form_versions_form_fkey foreign key (tenant_id, form_id) references forms (tenant_id, form_id),
    constraint form_versions_version_check check (version > 0)
);
alter table form_versions enable row level security;
alter table form_versions force row level security;
create policy tenant_rows on form_versions to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert on form_versions to reflex_app;
