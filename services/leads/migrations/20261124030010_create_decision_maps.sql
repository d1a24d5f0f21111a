-- Maps of who decides about leads, each with the roles that the policy had at the first contact.
create table decision_maps (
    tenant_id text collate "C" not null,
    lead_id uuid not null,
    roles text[] not null,
    start_time timestamptz not null,
    due_time timestamptz not null,
    complete_time timestamptz,
    -- When it was found not complete though it was due.
    overdue_time timestamptz,
    constraint decision_maps_key primary key (tenant_id, lead_id),
    constraint decision_maps_lead_fkey foreign key (tenant_id, lead_id) references leads (tenant_id, lead_id)
);
create index decision_maps_overdue_index on decision_maps (tenant_id, due_time, lead_id)
    where overdue_time is not null and complete_time is null;
alter table decision_maps enable row level security;
alter table decision_maps force row level security;
create policy tenant_rows on decision_maps to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update on decision_maps to reflex_app;
