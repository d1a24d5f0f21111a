-- What each version of a tag rule said; tags of leads name the version that gave them.
create table tag_rule_versions (
    tenant_id text collate "C" not null,
    tag_rule_id text collate "C" not null,
    version integer not null,
    tag text not null,
    condition text not null,
    event text collate "C" not null,
    expire_days integer not null,
    enabled boolean not null,
    create_time timestamptz not null,
    constraint tag_rule_versions_key primary key (tenant_id, tag_rule_id, version)
);
alter table tag_rule_versions enable row level security;
alter table tag_rule_versions force row level security;
create policy tenant_rows on tag_rule_versions to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert on tag_rule_versions to reflex_app;
