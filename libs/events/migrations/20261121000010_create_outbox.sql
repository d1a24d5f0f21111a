-- Facts this service tells, written with the change they tell of and kept for a retention window, so that a wiped
-- Redis can be refilled.
create table outbox (
    id bigint generated always as identity,
    tenant_id text collate "C" not null,
    event_id uuid not null,
    -- Shard of the stream, from the hash of tenant and subject.
    shard smallint not null,
    kind text collate "C" not null,
    subject text collate "C" not null,
    time timestamptz not null,
    traceparent text,
    causation_id uuid,
    data bytea not null,
    create_time timestamptz not null default now(),
    constraint outbox_key primary key (id)
);
create index outbox_create_time_index on outbox using brin (create_time);
alter table outbox enable row level security;
alter table outbox force row level security;
create policy tenant_rows on outbox to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
create policy relayed_rows on outbox to reflex_worker using (true);
grant select, insert on outbox to reflex_app;
grant select, delete on outbox to reflex_worker;

-- What is not in the streams yet. Narrow, because every event passes through it.
create table outbox_pending (
    id bigint not null,
    tenant_id text collate "C" not null
);
create index outbox_pending_id_index on outbox_pending (id);
alter table outbox_pending enable row level security;
alter table outbox_pending force row level security;
create policy tenant_rows on outbox_pending to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
create policy relayed_rows on outbox_pending to reflex_worker using (true) with check (true);
grant select, insert on outbox_pending to reflex_app;
grant select, insert, delete on outbox_pending to reflex_worker;

-- Batches relayed so far. Redis keeps the same number: when its own is behind, it lost entries and is refilled.
create table relay_marks (
    stream text collate "C" not null,
    mark bigint not null,
    constraint relay_marks_key primary key (stream)
);
grant select, insert, update on relay_marks to reflex_worker;
