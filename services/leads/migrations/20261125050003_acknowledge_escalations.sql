-- A lead that was kept from salespeople and came back climbs its ladder anew: a step is one of the clock that it belongs to.
alter table escalations
    -- When the clock of the ladder started; '-infinity' for steps taken before this was known.
    add column clock_start timestamptz not null default '-infinity',
    -- Whether the ladder ends once somebody it told acknowledges.
    add column acknowledge_stops boolean not null default false,
    -- When whoever was told acknowledged.
    add column acknowledge_time timestamptz,
    drop constraint escalations_key,
    add constraint escalations_key primary key (tenant_id, lead_id, clock_start, step);
grant update (acknowledge_time) on escalations to reflex_app;
