-- How far each import of leads is, written with the leads themselves, so that one that broke off goes on where it was.
create table lead_imports (
    tenant_id text collate "C" not null,
    import_id uuid not null,
    -- Rows of the file that are done: stored, there already, refused or blank.
    row_count bigint not null,
    -- Of the settings, the header and those rows: only the same file may go on.
    digest bytea not null,
    stored_count bigint not null,
    existed_count bigint not null,
    create_time timestamptz not null,
    update_time timestamptz not null,
    -- When the end of the file was reached.
    complete_time timestamptz,
    constraint lead_imports_key primary key (tenant_id, import_id)
);
alter table lead_imports enable row level security;
alter table lead_imports force row level security;
create policy tenant_rows on lead_imports to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update on lead_imports to reflex_app;
