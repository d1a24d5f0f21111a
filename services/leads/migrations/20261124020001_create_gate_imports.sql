-- Lists that the gate asks, by version: the newest one of a kind that was not taken back is in force.
create table gate_imports (
    tenant_id text collate "C" not null,
    kind text collate "C" not null,
    version integer not null,
    as_of timestamptz not null,
    import_time timestamptz not null,
    row_count integer not null,
    undo_time timestamptz,
    constraint gate_imports_key primary key (tenant_id, kind, version),
    constraint gate_imports_kind_check check (kind in ('companies', 'visits'))
);
alter table gate_imports enable row level security;
alter table gate_imports force row level security;
create policy tenant_rows on gate_imports to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update on gate_imports to reflex_app;
