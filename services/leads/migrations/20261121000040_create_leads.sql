-- Leads, one row each from capture to close.
create table leads (
    tenant_id text collate "C" not null,
    lead_id uuid not null,
    -- Order of capture over all tenants of the database; leads are routed in this order.
    sequence bigint generated always as identity,
    -- Shard of the intake loop, from the hash of the tenant.
    shard smallint not null,
    number bigint not null,
    state text collate "C" not null,
    source text not null,
    external_id text collate "C",
    -- The capture's request_id, and the hash of what it carried: the row itself is the stored answer.
    request_id uuid,
    payload_hash bytea not null,
    company text not null,
    contact_name text not null,
    phone text not null,
    email text not null,
    territory text not null,
    product text not null,
    urgency text collate "C",
    budget_min_fen bigint not null,
    budget_max_fen bigint not null,
    remark text not null,
    account text not null,
    form text collate "C",
    attributes jsonb not null,
    raw_payload bytea not null,
    owner text collate "C",
    team text collate "C",
    previous_owner text collate "C",
    fencing_token bigint not null default 0,
    queue_reason text,
    create_time timestamptz not null,
    assign_time timestamptz,
    claim_time timestamptz,
    first_contact_time timestamptz,
    claim_due_time timestamptz,
    contact_due_time timestamptz,
    due_provisional boolean not null default false,
    -- Whether a call counts as the first contact only once the needs screening form is complete.
    require_screening boolean not null default false,
    close_time timestamptz,
    outcome text collate "C",
    traceparent text,
    constraint leads_key primary key (tenant_id, lead_id),
    constraint leads_state_check check (state in ('captured', 'queued', 'assigned', 'claimed', 'contacted', 'closed'))
);
create unique index leads_external_id_key on leads (tenant_id, source, external_id) where external_id is not null;
create unique index leads_request_id_key on leads (tenant_id, request_id) where request_id is not null;
create unique index leads_number_key on leads (tenant_id, number);
-- The intake loop's queue of new leads.
create index leads_captured_index on leads (shard, sequence) where state = 'captured';
-- Leads nobody could take, in their order.
create index leads_queued_index on leads (tenant_id, team, sequence) where state = 'queued';
create index leads_owner_index on leads (tenant_id, owner, lead_id) where owner is not null;
create index leads_team_index on leads (tenant_id, team, lead_id) where team is not null;
alter table leads enable row level security;
alter table leads force row level security;
create policy tenant_rows on leads to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
create policy captured_rows on leads for select to reflex_worker using (state = 'captured');
grant select, insert, update on leads to reflex_app;
grant select (tenant_id, lead_id, shard, sequence, state) on leads to reflex_worker;
