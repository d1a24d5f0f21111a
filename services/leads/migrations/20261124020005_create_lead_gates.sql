-- What the gate said of a lead the last time, and why a lead is kept from salespeople.
create table lead_gates (
    tenant_id text collate "C" not null,
    lead_id uuid not null,
    -- Null where the gate was never asked.
    verdict text collate "C",
    -- The parts, what they rest on, versions; null as the verdict.
    judgement jsonb,
    evaluate_time timestamptz,
    -- Since when the verdict is what it is, or the lead is kept.
    since timestamptz not null,
    -- Why the lead is kept from salespeople; null while it is not.
    kept_for text collate "C",
    -- What the lead looked like when it came: label, probability, codes of reasons; null where nothing was wrong or nobody looked.
    validity jsonb,
    -- Domain of its mail, by which answers of the registry find it; empty for none.
    domain text collate "C" not null,
    constraint lead_gates_key primary key (tenant_id, lead_id),
    constraint lead_gates_verdict_check check (verdict in ('pass', 'nurture', 'hold')),
    constraint lead_gates_kept_for_check check (kept_for in ('gate', 'hold_over', 'stale', 'manual', 'invalid')),
    constraint lead_gates_lead_fkey foreign key (tenant_id, lead_id) references leads (tenant_id, lead_id)
);
create index lead_gates_kept_index on lead_gates (tenant_id, lead_id) where kept_for is not null;
create index lead_gates_domain_index on lead_gates (tenant_id, domain) where kept_for is not null and domain <> '';
alter table lead_gates enable row level security;
alter table lead_gates force row level security;
create policy tenant_rows on lead_gates to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
-- What is known of a lead goes when somebody's data have to.
grant select, insert, update, delete on lead_gates to reflex_app;
