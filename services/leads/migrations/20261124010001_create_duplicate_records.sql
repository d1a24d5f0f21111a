-- The leads that were compared, and the keys under which others find them.
create table duplicate_records (
    tenant_id text collate "C" not null,
    lead_id uuid not null,
    -- Sorted; hashes of what makes two leads worth a comparison.
    keys bigint[] not null,
    constraint duplicate_records_key primary key (tenant_id, lead_id)
);
alter table duplicate_records enable row level security;
alter table duplicate_records force row level security;
create policy tenant_rows on duplicate_records to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update, delete on duplicate_records to reflex_app;
