-- Whose turn it is in each group of members that share leads.
create table turns (
    tenant_id text collate "C" not null,
    team text collate "C" not null,
    -- Skills the group's members have, sorted and joined by commas.
    skills text collate "C" not null,
    member text collate "C" not null,
    -- Virtual time at which the member's last turn ended, and its number within the group.
    finish bigint not null,
    number bigint not null,
    constraint turns_key primary key (tenant_id, team, skills, member)
);
alter table turns enable row level security;
alter table turns force row level security;
create policy tenant_rows on turns to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update on turns to reflex_app;
