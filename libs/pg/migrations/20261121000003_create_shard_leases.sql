-- Who works on which shard. The fence grows with every change of owner: a writer with an older one is refused.
create table shard_leases (
    shard text collate "C" not null,
    owner uuid not null,
    fence bigint not null,
    expire_time timestamptz not null,
    constraint shard_leases_key primary key (shard),
    -- Makes the fence a key column: whoever holds the shard (for key share) keeps others from taking it over, not its
    -- owner from renewing the lease.
    constraint shard_leases_fence_key unique (shard, fence)
);
grant select, insert, update on shard_leases to reflex_worker;

-- Processes that share the shards of a group, so that each takes its part.
create table shard_members (
    shard_group text collate "C" not null,
    owner uuid not null,
    expire_time timestamptz not null,
    constraint shard_members_key primary key (shard_group, owner)
);
grant select, insert, update, delete on shard_members to reflex_worker;

-- Holds the shard until the transaction ends, or raises RF001 when somebody else took it over.
create function hold_shard(wanted_shard text, held_fence bigint) returns bigint
    language plpgsql security definer set search_path = public, pg_temp
    as $$
begin
    perform 1 from shard_leases where shard = wanted_shard and fence = held_fence for key share;
    if not found then
        raise exception 'shard % is no longer held with fence %', wanted_shard, held_fence using errcode = 'RF001';
    end if;
    return held_fence;
end $$;
revoke all on function hold_shard(text, bigint) from public;
grant execute on function hold_shard(text, bigint) to reflex_app, reflex_worker;

-- Whether the process with this id is gone: it holds a shared advisory lock on its id as long as it lives. Two who ask at
-- the same moment may keep each other from knowing; then one of them asks again later.
create function is_gone(owner uuid) returns boolean
    language plpgsql volatile
    as $$
declare
    key bigint := hashtextextended(owner::text, 0);
begin
    if pg_try_advisory_xact_lock(key) then
        return true;
    end if;
    return false;
end $$;
