-- What happened to a lead besides routing, in order.
create table lead_history (
    tenant_id text collate "C" not null,
    lead_id uuid not null,
    entry_id uuid not null,
    time timestamptz not null,
    kind text collate "C" not null,
    member text collate "C",
    detail text not null,
    constraint lead_history_key primary key (tenant_id, lead_id, entry_id)
);
alter table lead_history enable row level security;
alter table lead_history force row level security;
create policy tenant_rows on lead_history to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert on lead_history to reflex_app;
