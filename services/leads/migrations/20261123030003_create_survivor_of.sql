-- The lead that stands for a lead today: itself unless it was merged. Each pointer leads to a lead that was none when it was
-- made, under both locks, so there are no circles.
create function survivor_of(wanted_tenant text, wanted_lead uuid) returns uuid
    language sql stable parallel safe
    as $$
    with recursive chain as (
        select lead_id, merged_into from leads where tenant_id = wanted_tenant and lead_id = wanted_lead
        union all
        select l.lead_id, l.merged_into from chain c
        join leads l on l.tenant_id = wanted_tenant and l.lead_id = c.merged_into
    )
    select lead_id from chain where merged_into is null
$$;

-- A lead with all that were merged into it, also by way of others.
create function merged_leads(wanted_tenant text, wanted_lead uuid) returns setof uuid
    language sql stable parallel safe
    as $$
    with recursive held as (
        select wanted_lead as lead_id
        union all
        select l.lead_id from held h join leads l on l.tenant_id = wanted_tenant and l.merged_into = h.lead_id
    )
    select lead_id from held
$$;
