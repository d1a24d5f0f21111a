-- What other systems saw of leads.
create table lead_facts (
    tenant_id text collate "C" not null,
    lead_id uuid not null,
    -- The sender's; makes a repeat harmless.
    fact_id uuid not null,
    kind text collate "C" not null,
    object text not null,
    -- Null where that means nothing.
    duration_seconds bigint,
    occur_time timestamptz not null,
    create_time timestamptz not null,
    constraint lead_facts_key primary key (tenant_id, lead_id, fact_id),
    constraint lead_facts_lead_fkey foreign key (tenant_id, lead_id) references leads (tenant_id, lead_id)
);
alter table lead_facts enable row level security;
alter table lead_facts force row level security;
create policy tenant_rows on lead_facts to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert on lead_facts to reflex_app;
