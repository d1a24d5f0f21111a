-- People who may be told something, as the events of leads describe them.
create table recipients (
    tenant_id text collate "C" not null,
    -- "members/{member}".
    member text collate "C" not null,
    display_name text not null,
    -- "teams/{team}"; empty while unknown.
    team text collate "C" not null,
    -- Only for calling the person by name in a group chat.
    mobile text not null,
    locale text not null,
    active boolean not null,
    -- Time of the event this comes from; '-infinity' while the person is only known from messages to them.
    change_time timestamptz not null,
    -- Number of the last inbox item. Raised under the row's lock, so numbers become visible in their order.
    inbox_sequence bigint not null,
    constraint recipients_key primary key (tenant_id, member)
) with (fillfactor = 70);
alter table recipients enable row level security;
alter table recipients force row level security;
create policy tenant_rows on recipients to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update on recipients to reflex_app;
