-- When which version of a tenant's routing policy became the active one. The last row names the active version; a version
-- without a row is a draft.
create table policy_activations (
    tenant_id text collate "C" not null,
    -- From 1, in order: the tenant's setup is locked while one is written.
    number integer not null,
    version integer not null,
    -- Active until then; null for the first.
    previous_version integer,
    activate_time timestamptz not null,
    -- Null for what an older release stored.
    actor text,
    note text not null,
    constraint policy_activations_key primary key (tenant_id, number),
    constraint policy_activations_version_fkey foreign key (tenant_id, version)
        references routing_policies (tenant_id, version)
);
create index policy_activations_version_index on policy_activations (tenant_id, version, number);

-- Until now a version was active from when it was stored until the next one. The owner sees rows only while row security
-- is not forced upon it.
alter table routing_policies no force row level security;
insert into policy_activations (tenant_id, number, version, previous_version, activate_time, note)
select tenant_id,
       row_number() over (partition by tenant_id order by version),
       version,
       lag(version) over (partition by tenant_id order by version),
       create_time,
       ''
from routing_policies;
alter table routing_policies force row level security;

alter table policy_activations enable row level security;
alter table policy_activations force row level security;
create policy tenant_rows on policy_activations to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert on policy_activations to reflex_app;

-- Replicas of the release before, which may still run during the upgrade, store versions without an author and take them
-- for active. To be dropped with the release after this one.
create function activate_as_before() returns trigger
    language plpgsql
    as $$
declare
    latest policy_activations%rowtype;
begin
    select * into latest from policy_activations where tenant_id = new.tenant_id order by number desc limit 1;
    insert into policy_activations (tenant_id, number, version, previous_version, activate_time, note)
    values (new.tenant_id, coalesce(latest.number, 0) + 1, new.version, latest.version, new.create_time, '');
    return null;
end $$;
create trigger activate_as_before after insert on routing_policies
    for each row when (new.author is null)
    execute function activate_as_before();
