-- Disputes about whose lead it is, with what the records said when they were decided.
create table lead_disputes (
    tenant_id text collate "C" not null,
    dispute_id uuid not null,
    lead_id uuid not null,
    -- Who says that it is theirs.
    claimant text collate "C" not null,
    reason text not null,
    -- Who opened it; null when it was not a member.
    opener text collate "C",
    open_time timestamptz not null,
    -- Whose it is, as decided.
    owner text collate "C",
    decider text collate "C",
    decision text not null default '',
    decide_time timestamptz,
    -- A reflex.leads.v1.DisputeEvidence.
    evidence bytea,
    constraint lead_disputes_key primary key (tenant_id, dispute_id),
    constraint lead_disputes_lead_fkey foreign key (tenant_id, lead_id) references leads (tenant_id, lead_id),
    constraint lead_disputes_decided_check check ((decide_time is null) = (owner is null))
);
-- One at a time.
create unique index lead_disputes_open_key on lead_disputes (tenant_id, lead_id) where decide_time is null;
create index lead_disputes_lead_index on lead_disputes (tenant_id, lead_id, dispute_id);
alter table lead_disputes enable row level security;
alter table lead_disputes force row level security;
create policy tenant_rows on lead_disputes to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update on lead_disputes to reflex_app;
