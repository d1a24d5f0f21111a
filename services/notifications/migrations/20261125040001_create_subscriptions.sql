-- Systems outside that are told facts.
create table subscriptions (
    tenant_id text collate "C" not null,
    -- "subscriptions/{subscription}".
    subscription text collate "C" not null,
    -- Address with its tokens, encrypted with the service's key; the row's keys are authenticated with it.
    endpoint bytea not null,
    -- The address as it is shown.
    endpoint_shown text not null,
    -- Signing secret, encrypted likewise.
    secret bytea not null,
    -- The one before it, which signs besides until the overlap ends.
    former_secret bytea,
    overlap_end_time timestamptz,
    -- For example "lead.assigned.v1"; none means all.
    event_types text[] not null,
    -- A condition in the language of formulas; empty lets everything pass.
    filter text not null,
    -- Whether people's names and addresses go along unmasked.
    personal_data boolean not null,
    state text collate "C" not null,
    -- Why it is disabled.
    reason text not null default '',
    -- Failed attempts in a row.
    failures integer not null default 0,
    -- No attempt is made before.
    probe_time timestamptz,
    -- Grows with each change by a person, so that whoever sends sees it.
    version bigint not null default 1,
    create_time timestamptz not null,
    update_time timestamptz not null,
    constraint subscriptions_key primary key (tenant_id, subscription),
    constraint subscriptions_state_check check (state in ('active', 'paused', 'disabled')),
    constraint subscriptions_overlap_check check ((former_secret is null) = (overlap_end_time is null))
);
alter table subscriptions enable row level security;
alter table subscriptions force row level security;
create policy tenant_rows on subscriptions to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
create policy worked_rows on subscriptions for select to reflex_worker using (true);
grant select, insert, update, delete on subscriptions to reflex_app;
grant select (tenant_id, subscription, event_types, filter, personal_data, state, failures, probe_time)
    on subscriptions to reflex_worker;
