-- What lies in a person's inbox; the words are those of the message, whose id is the item's id, too.
create table inbox_items (
    tenant_id text collate "C" not null,
    recipient text collate "C" not null,
    -- From recipients.inbox_sequence: later items have higher numbers, and no lower one appears afterwards.
    sequence bigint not null,
    message uuid not null,
    create_time timestamptz not null,
    read_time timestamptz,
    constraint inbox_items_key primary key (tenant_id, recipient, sequence),
    constraint inbox_items_message_key unique (tenant_id, message)
);
create index inbox_items_unread_index on inbox_items (tenant_id, recipient) where read_time is null;
create index inbox_items_create_time_index on inbox_items using brin (create_time);
alter table inbox_items enable row level security;
alter table inbox_items force row level security;
create policy tenant_rows on inbox_items to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
create policy expired_rows on inbox_items to reflex_worker using (true);
grant select, insert, update on inbox_items to reflex_app;
grant select (create_time), delete on inbox_items to reflex_worker;
