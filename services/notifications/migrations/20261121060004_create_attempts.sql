-- Every try to deliver a message.
create table attempts (
    tenant_id text collate "C" not null,
    message uuid not null,
    -- From 1.
    number integer not null,
    -- The provider's business code, or ours.
    provider_code text not null,
    outcome text collate "C" not null,
    latency_microseconds bigint not null,
    detail text not null,
    create_time timestamptz not null,
    constraint attempts_key primary key (tenant_id, message, number),
    constraint attempts_message_fkey foreign key (tenant_id, message) references messages on delete cascade,
    constraint attempts_outcome_check check (outcome in ('delivered', 'retry_later', 'give_up', 'limit_hit'))
);
alter table attempts enable row level security;
alter table attempts force row level security;
create policy tenant_rows on attempts to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert on attempts to reflex_app;
