-- Steps of a lead's ladder that were taken; the key lets none be taken twice.
create table escalations (
    tenant_id text collate "C" not null,
    lead_id uuid not null,
    step smallint not null,
    recipient text collate "C",
    deputising_for text collate "C",
    audience text collate "C" not null,
    escalate_time timestamptz not null,
    constraint escalations_key primary key (tenant_id, lead_id, step)
);
alter table escalations enable row level security;
alter table escalations force row level security;
create policy tenant_rows on escalations to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert on escalations to reflex_app;
