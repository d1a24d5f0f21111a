-- The same keys, the other way round. Written by the loop that takes leads in, one worker a tenant.
create table duplicate_keys (
    tenant_id text collate "C" not null,
    key bigint not null,
    lead_id uuid not null,
    constraint duplicate_keys_key primary key (tenant_id, key, lead_id)
);
alter table duplicate_keys enable row level security;
alter table duplicate_keys force row level security;
create policy tenant_rows on duplicate_keys to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, delete on duplicate_keys to reflex_app;
