-- Whom of those who decide about a lead was reached, with minutes.
create table decision_roles (
    tenant_id text collate "C" not null,
    lead_id uuid not null,
    role text not null,
    person text not null,
    minutes text not null,
    minutes_url text not null,
    member text collate "C" not null,
    reach_time timestamptz not null,
    constraint decision_roles_key primary key (tenant_id, lead_id, role),
    constraint decision_roles_map_fkey foreign key (tenant_id, lead_id) references decision_maps (tenant_id, lead_id)
);
alter table decision_roles enable row level security;
alter table decision_roles force row level security;
create policy tenant_rows on decision_roles to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update on decision_roles to reflex_app;
