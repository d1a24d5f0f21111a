-- Groups of members that leads are routed to.
create table teams (
    tenant_id text collate "C" not null,
    team_id text collate "C" not null,
    display_name text not null,
    parent text collate "C",
    -- Both may be named before they exist, because teams come before their members.
    supervisor text collate "C",
    director text collate "C",
    -- Working calendar; null means that of the team above. "default" needs no row in calendars.
    calendar text collate "C",
    create_time timestamptz not null,
    update_time timestamptz not null,
    constraint teams_key primary key (tenant_id, team_id),
    constraint teams_parent_fkey foreign key (tenant_id, parent) references teams (tenant_id, team_id)
);
create index teams_parent_index on teams (tenant_id, parent) where parent is not null;
alter table teams enable row level security;
alter table teams force row level security;
create policy tenant_rows on teams to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update on teams to reflex_app;
