-- How many leads each member has picked from the pool on each business day.
create table lead_picks (
    tenant_id text collate "C" not null,
    member text collate "C" not null,
    -- In the tenant's default calendar.
    day date not null,
    picks integer not null,
    constraint lead_picks_key primary key (tenant_id, member, day)
);
alter table lead_picks enable row level security;
alter table lead_picks force row level security;
create policy tenant_rows on lead_picks to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update on lead_picks to reflex_app;
