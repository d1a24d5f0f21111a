-- What people did with the links of messages: one row for each event, person and action, whichever message brought the link.
create table message_answers (
    tenant_id text collate "C" not null,
    cause_event uuid not null,
    -- "members/{member}".
    recipient text collate "C" not null,
    action text collate "C" not null,
    -- The message whose link was used; the answer goes with it.
    message uuid not null,
    create_time timestamptz not null,
    constraint message_answers_key primary key (tenant_id, cause_event, recipient, action),
    constraint message_answers_message_fkey foreign key (tenant_id, message) references messages on delete cascade,
    constraint message_answers_action_check check (action in ('ack', 'claim', 'confirm', 'ignore'))
);
create index message_answers_message_index on message_answers (tenant_id, message);
alter table message_answers enable row level security;
alter table message_answers force row level security;
create policy tenant_rows on message_answers to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert on message_answers to reflex_app;
