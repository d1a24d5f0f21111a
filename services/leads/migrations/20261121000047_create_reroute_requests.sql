-- Reasons to look at waiting leads again; written with the change that is the reason.
create table reroute_requests (
    tenant_id text collate "C" not null,
    id bigint generated always as identity,
    shard smallint not null,
    trigger text collate "C" not null,
    -- Only leads that wait for this team; null means all.
    team text collate "C",
    -- Only this lead.
    lead_id uuid,
    constraint reroute_requests_key primary key (id)
);
create index reroute_requests_shard_index on reroute_requests (shard, id);
alter table reroute_requests enable row level security;
alter table reroute_requests force row level security;
create policy tenant_rows on reroute_requests to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
create policy waiting_rows on reroute_requests for select to reflex_worker using (true);
grant select, insert, delete on reroute_requests to reflex_app;
grant select on reroute_requests to reflex_worker;
