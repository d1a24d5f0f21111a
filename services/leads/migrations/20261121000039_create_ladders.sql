-- Escalation ladders. A running clock keeps the steps it started with.
create table ladders (
    tenant_id text collate "C" not null,
    ladder_id text collate "C" not null,
    -- Product line it is for; empty for all lines without their own.
    product text collate "C" not null,
    definition jsonb not null,
    create_time timestamptz not null,
    update_time timestamptz not null,
    constraint ladders_key primary key (tenant_id, ladder_id),
    constraint ladders_product_key unique (tenant_id, product)
);
alter table ladders enable row level security;
alter table ladders force row level security;
create policy tenant_rows on ladders to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update on ladders to reflex_app;
