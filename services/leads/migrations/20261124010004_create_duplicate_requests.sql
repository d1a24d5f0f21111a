-- Leads to be compared anew, as they or others changed.
create table duplicate_requests (
    tenant_id text collate "C" not null,
    lead_id uuid not null,
    id bigint generated always as identity,
    shard smallint not null,
    constraint duplicate_requests_key primary key (tenant_id, lead_id)
);
create index duplicate_requests_shard_index on duplicate_requests (shard, id);
alter table duplicate_requests enable row level security;
alter table duplicate_requests force row level security;
create policy tenant_rows on duplicate_requests to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
create policy waiting_rows on duplicate_requests for select to reflex_worker using (true);
grant select, insert, delete on duplicate_requests to reflex_app;
grant select on duplicate_requests to reflex_worker;
