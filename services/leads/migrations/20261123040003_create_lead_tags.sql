-- The tags leads have, and why.
create table lead_tags (
    tenant_id text collate "C" not null,
    lead_id uuid not null,
    tag text collate "C" not null,
    -- The rule that gave it; null where somebody did.
    rule text collate "C",
    rule_version integer,
    -- Resource name of what it was given for; empty where somebody gave it without a reason.
    evidence text not null,
    member text collate "C",
    -- The progress tag it is, with its stage as it was then.
    progress_tag text collate "C",
    stage text collate "C",
    tag_time timestamptz not null,
    -- A timer removes it then; null for never.
    expire_time timestamptz,
    constraint lead_tags_key primary key (tenant_id, lead_id, tag),
    constraint lead_tags_lead_fkey foreign key (tenant_id, lead_id) references leads (tenant_id, lead_id)
);
-- Lists of leads with a tag, newest first.
create index lead_tags_tag_index on lead_tags (tenant_id, tag, lead_id);
create unique index lead_tags_progress_key on lead_tags (tenant_id, lead_id) where progress_tag is not null;
alter table lead_tags enable row level security;
alter table lead_tags force row level security;
create policy tenant_rows on lead_tags to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update, delete on lead_tags to reflex_app;
