-- Budget that is spent: one row for each message sent within the provider's sliding minute, shared by all replicas.
create table channel_reservations (
    tenant_id text collate "C" not null,
    channel text collate "C" not null,
    reservation uuid not null,
    -- When the message has surely left the provider's window.
    release_time timestamptz not null,
    constraint channel_reservations_key primary key (tenant_id, channel, reservation),
    constraint channel_reservations_channel_fkey foreign key (tenant_id, channel) references channels
);
alter table channel_reservations enable row level security;
alter table channel_reservations force row level security;
create policy tenant_rows on channel_reservations to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update, delete on channel_reservations to reflex_app;
