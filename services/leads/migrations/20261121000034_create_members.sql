-- People who work with leads; nobody is deleted, who left is inactive.
create table members (
    tenant_id text collate "C" not null,
    member_id text collate "C" not null,
    display_name text not null,
    team text collate "C" not null,
    role text collate "C" not null,
    supervisor text collate "C",
    deputy text collate "C",
    -- Share of the team's leads relative to the others.
    weight integer not null,
    -- Open leads they can hold.
    capacity integer not null,
    skills text[] not null,
    calendar text collate "C",
    active boolean not null,
    mobile text not null,
    email text not null,
    locale text collate "C" not null,
    -- Leads they hold; changes with every assignment, so it is no part of the setup and of its version.
    open_leads integer not null default 0,
    create_time timestamptz not null,
    update_time timestamptz not null,
    constraint members_key primary key (tenant_id, member_id),
    constraint members_role_check check (role in ('sales', 'supervisor', 'director', 'assistant')),
    constraint members_weight_check check (weight between 1 and 1000),
    constraint members_capacity_check check (capacity between 0 and 100000),
    constraint members_open_leads_check check (open_leads >= 0),
    constraint members_team_fkey foreign key (tenant_id, team) references teams (tenant_id, team_id),
    constraint members_supervisor_fkey foreign key (tenant_id, supervisor) references members (tenant_id, member_id),
    constraint members_deputy_fkey foreign key (tenant_id, deputy) references members (tenant_id, member_id)
)
-- Room on each page for the next version of a row, since open_leads changes all the time and no index holds it.
with (fillfactor = 70);
create index members_team_index on members (tenant_id, team, member_id);
create index members_supervisor_index on members (tenant_id, supervisor) where supervisor is not null;
create index members_deputy_index on members (tenant_id, deputy) where deputy is not null;
alter table members enable row level security;
alter table members force row level security;
create policy tenant_rows on members to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update on members to reflex_app;
