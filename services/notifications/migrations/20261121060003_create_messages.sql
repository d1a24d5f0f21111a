-- The ledger: one row for each cause, person and channel, so nobody is told twice.
create table messages (
    tenant_id text collate "C" not null,
    message uuid not null,
    -- The event that caused it; a digest, which has many causes, has its own id here.
    cause_event uuid not null,
    -- "members/{member}"; empty for a digest to many.
    recipient text collate "C" not null,
    -- "inbox" or "channels/{channel}".
    channel text collate "C" not null,
    class text collate "C" not null,
    -- What it is about, for example "leads/{lead}"; empty for a digest.
    subject text collate "C" not null,
    -- Template and version, for example "lead_assigned@1".
    template text not null,
    title text not null,
    body text not null,
    state text collate "C" not null,
    reason text not null,
    is_digest boolean not null default false,
    -- The digest that took its place.
    merged_into uuid,
    traceparent text,
    attempts integer not null default 0,
    -- Attempts that failed for another reason than the provider's limit.
    failures integer not null default 0,
    -- Not sent before; also the end of the time in which somebody who took it may be sending it.
    next_attempt_time timestamptz not null,
    create_time timestamptz not null,
    deliver_time timestamptz,
    constraint messages_key primary key (tenant_id, message),
    constraint messages_cause_key unique (tenant_id, cause_event, recipient, channel),
    constraint messages_class_check check (class in ('assignment', 'escalation')),
    constraint messages_state_check check (state in ('pending', 'delivered', 'merged', 'stopped', 'failed'))
);
create index messages_recipient_index on messages (tenant_id, recipient, message);
create index messages_subject_index on messages (tenant_id, subject, message);
create index messages_merged_into_index on messages (tenant_id, merged_into) where merged_into is not null;
create index messages_pending_index on messages (tenant_id, channel, class, next_attempt_time) where state = 'pending';
create index messages_create_time_index on messages using brin (create_time);
alter table messages enable row level security;
alter table messages force row level security;
create policy tenant_rows on messages to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
create policy worked_rows on messages to reflex_worker using (true);
grant select, insert, update on messages to reflex_app;
grant select (tenant_id, message, channel, class, state, next_attempt_time, create_time), delete on messages
    to reflex_worker;
