-- Certificates of erasure: that somebody's data were erased, never whose.
create table erasures (
    tenant_id text collate "C" not null,
    erasure_id uuid not null,
    -- Of who it was, with the tenant's salt: who has the identifier can show that it was meant, nobody can list them.
    identifier_hash bytea not null,
    -- What was erased where: {"leads": 2, "follow_ups": 3}.
    counts jsonb not null,
    member text collate "C",
    erase_time timestamptz not null,
    constraint erasures_key primary key (tenant_id, erasure_id)
);
create index erasures_hash_index on erasures (tenant_id, identifier_hash, erasure_id);
alter table erasures enable row level security;
alter table erasures force row level security;
create policy tenant_rows on erasures to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert on erasures to reflex_app;

-- What identifiers are hashed with.
create table erasure_salts (
    tenant_id text collate "C" not null,
    salt uuid not null default gen_random_uuid(),
    constraint erasure_salts_key primary key (tenant_id)
);
alter table erasure_salts enable row level security;
alter table erasure_salts force row level security;
create policy tenant_rows on erasure_salts to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert on erasure_salts to reflex_app;
