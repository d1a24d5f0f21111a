-- What was done with a lead.
create table follow_ups (
    tenant_id text collate "C" not null,
    follow_up_id uuid not null,
    lead_id uuid not null,
    member text collate "C" not null,
    kind text collate "C" not null,
    attitude text collate "C",
    next_action text not null,
    note text not null,
    screening_complete boolean not null,
    occur_time timestamptz not null,
    create_time timestamptz not null,
    constraint follow_ups_key primary key (tenant_id, follow_up_id),
    constraint follow_ups_lead_fkey foreign key (tenant_id, lead_id) references leads (tenant_id, lead_id)
);
create index follow_ups_lead_index on follow_ups (tenant_id, lead_id, follow_up_id);
alter table follow_ups enable row level security;
alter table follow_ups force row level security;
create policy tenant_rows on follow_ups to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert on follow_ups to reflex_app;
