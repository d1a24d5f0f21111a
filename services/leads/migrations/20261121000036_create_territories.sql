-- Places that leads come from.
create table territories (
    tenant_id text collate "C" not null,
    territory_id text collate "C" not null,
    display_name text not null,
    parent text collate "C",
    aliases text[] not null,
    create_time timestamptz not null,
    update_time timestamptz not null,
    constraint territories_key primary key (tenant_id, territory_id),
    constraint territories_parent_fkey foreign key (tenant_id, parent) references territories (tenant_id, territory_id)
);
create index territories_parent_index on territories (tenant_id, parent) where parent is not null;
alter table territories enable row level security;
alter table territories force row level security;
create policy tenant_rows on territories to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update on territories to reflex_app;
