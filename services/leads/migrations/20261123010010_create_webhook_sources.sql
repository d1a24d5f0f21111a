-- Sources that post signed JSON, each with the mapping that turns a body into a lead.
create table webhook_sources (
    tenant_id text collate "C" not null,
    webhook_source_id text collate "C" not null,
    source text not null,
    -- What bodies are signed with, sealed by the service's sealing_key.
    secret bytea not null,
    -- The document as it was typed.
    mapping text not null,
    default_product text not null,
    posts_per_minute integer not null,
    enabled boolean not null,
    create_time timestamptz not null,
    update_time timestamptz not null,
    constraint webhook_sources_key primary key (tenant_id, webhook_source_id)
);
alter table webhook_sources enable row level security;
alter table webhook_sources force row level security;
create policy tenant_rows on webhook_sources to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update on webhook_sources to reflex_app;
