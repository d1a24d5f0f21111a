-- Tenants all of whose leads are to be compared, and how far that has come: after their policy changed, and once for leads
-- that were there before leads were compared.
create table duplicate_sweeps (
    tenant_id text collate "C" not null,
    shard smallint not null,
    -- The last lead that is done; null before the first.
    cursor uuid,
    constraint duplicate_sweeps_key primary key (tenant_id)
);
create index duplicate_sweeps_shard_index on duplicate_sweeps (shard);
-- The owner sees rows only while row security is not forced upon it.
alter table leads no force row level security;
insert into duplicate_sweeps (tenant_id, shard) select tenant_id, shard from leads group by tenant_id, shard;
alter table leads force row level security;
alter table duplicate_sweeps enable row level security;
alter table duplicate_sweeps force row level security;
create policy tenant_rows on duplicate_sweeps to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
create policy waiting_rows on duplicate_sweeps for select to reflex_worker using (true);
grant select, insert, update, delete on duplicate_sweeps to reflex_app;
grant select on duplicate_sweeps to reflex_worker;
