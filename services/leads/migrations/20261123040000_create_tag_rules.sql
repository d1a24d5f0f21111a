-- Rules that give tags, as they are now.
create table tag_rules (
    tenant_id text collate "C" not null,
    tag_rule_id text collate "C" not null,
    version integer not null,
    tag text not null,
    -- Empty for any lead.
    condition text not null,
    -- Kind of the fact; empty for the capture and each later fact.
    event text collate "C" not null,
    -- 0 for ever.
    expire_days integer not null,
    enabled boolean not null,
    update_time timestamptz not null,
    constraint tag_rules_key primary key (tenant_id, tag_rule_id)
);
alter table tag_rules enable row level security;
alter table tag_rules force row level security;
create policy tenant_rows on tag_rules to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update on tag_rules to reflex_app;
