-- What leads that were known said before and after a batch of an import, as far as it changed; gone once that is taken back.
create table lead_import_updates (
    tenant_id text collate "C" not null,
    import_id uuid not null,
    batch bigint not null,
    lead_id uuid not null,
    -- Values by field, null for a further field that was not there: {"phone": "138...", "attributes.x": null}.
    before jsonb not null,
    after jsonb not null,
    constraint lead_import_updates_key primary key (tenant_id, import_id, batch, lead_id)
);
create index lead_import_updates_lead_index on lead_import_updates (tenant_id, lead_id);
alter table lead_import_updates enable row level security;
alter table lead_import_updates force row level security;
create policy tenant_rows on lead_import_updates to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update, delete on lead_import_updates to reflex_app;
