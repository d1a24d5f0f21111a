-- Facts that a tenant's subscriptions listen to, kept for a window so that they can be delivered, tried again and replayed.
create table subscription_events (
    tenant_id text collate "C" not null,
    -- The order in which they came; of one subject that in which they happened.
    sequence bigint generated always as identity,
    event uuid not null,
    -- Full name of its message, for example "reflex.leads.v1.LeadAssigned".
    kind text collate "C" not null,
    subject text collate "C" not null,
    time timestamptz not null,
    data bytea not null,
    create_time timestamptz not null,
    constraint subscription_events_key primary key (tenant_id, sequence),
    constraint subscription_events_event_key unique (tenant_id, event)
);
create index subscription_events_create_time_index on subscription_events using brin (create_time);
alter table subscription_events enable row level security;
alter table subscription_events force row level security;
create policy tenant_rows on subscription_events to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
create policy worked_rows on subscription_events to reflex_worker using (true);
grant select, insert, delete on subscription_events to reflex_app;
grant select (tenant_id, create_time), delete on subscription_events to reflex_worker;
