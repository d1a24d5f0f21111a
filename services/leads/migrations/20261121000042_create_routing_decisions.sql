-- Why a lead has the owner it has, kept as long as the lead.
create table routing_decisions (
    tenant_id text collate "C" not null,
    lead_id uuid not null,
    decision_id uuid not null,
    decide_time timestamptz not null,
    -- A reflex.leads.v1.RoutingDecision.
    decision bytea not null,
    constraint routing_decisions_key primary key (tenant_id, lead_id, decision_id)
);
alter table routing_decisions enable row level security;
alter table routing_decisions force row level security;
create policy tenant_rows on routing_decisions to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert on routing_decisions to reflex_app;
