-- Events that could not be applied, with the reason, until somebody replays or drops them.
create table dead_letters (
    tenant_id text collate "C" not null,
    event_id uuid not null,
    stream text not null,
    shard smallint not null,
    source text not null,
    kind text not null,
    subject text not null,
    time timestamptz not null,
    traceparent text,
    causation_id uuid,
    data bytea not null,
    reason text not null,
    attempts integer not null,
    create_time timestamptz not null default now(),
    constraint dead_letters_key primary key (tenant_id, event_id)
);
alter table dead_letters enable row level security;
alter table dead_letters force row level security;
create policy tenant_rows on dead_letters to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update, delete on dead_letters to reflex_app;
