-- Which leads go to salespeople at all: one policy a tenant.
create table gate_policies (
    tenant_id text collate "C" not null,
    -- Grows with each change.
    version integer not null,
    definition jsonb not null,
    update_time timestamptz not null,
    constraint gate_policies_key primary key (tenant_id)
);
alter table gate_policies enable row level security;
alter table gate_policies force row level security;
create policy tenant_rows on gate_policies to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update on gate_policies to reflex_app;
