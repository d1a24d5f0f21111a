-- Devices that leads came from lately, where they said so: hashes of the device and of the person. Written by the loop that takes
-- leads in, one worker a tenant.
create table lead_fingerprints (
    tenant_id text collate "C" not null,
    fingerprint bigint not null,
    lead_id uuid not null,
    person bigint not null,
    capture_time timestamptz not null,
    constraint lead_fingerprints_key primary key (tenant_id, fingerprint, lead_id),
    constraint lead_fingerprints_lead_fkey foreign key (tenant_id, lead_id) references leads (tenant_id, lead_id)
);
create index lead_fingerprints_lead_index on lead_fingerprints (tenant_id, lead_id);
create index lead_fingerprints_time_index on lead_fingerprints (tenant_id, capture_time);
alter table lead_fingerprints enable row level security;
alter table lead_fingerprints force row level security;
create policy tenant_rows on lead_fingerprints to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, delete on lead_fingerprints to reflex_app;
