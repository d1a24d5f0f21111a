-- The leads that each batch of an import stored, written with them in parts; what is left once the import is undone was kept.
create table lead_import_batches (
    tenant_id text collate "C" not null,
    import_id uuid not null,
    -- Rows of the file that were done with it; of further parts fewer, so that they are undone later.
    batch bigint not null,
    -- One row a batch and no column of the lead: an index over leads would cost each of them what this costs two thousand.
    created uuid[] not null,
    constraint lead_import_batches_key primary key (tenant_id, import_id, batch)
);
-- Ids do not become shorter.
alter table lead_import_batches alter column created set storage external;
alter table lead_import_batches enable row level security;
alter table lead_import_batches force row level security;
create policy tenant_rows on lead_import_batches to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update, delete on lead_import_batches to reflex_app;
