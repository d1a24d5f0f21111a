-- Working calendars of a tenant.
create table calendars (
    tenant_id text collate "C" not null,
    calendar_id text collate "C" not null,
    -- The calendar file as it was sent, YAML or JSON.
    spec text not null,
    create_time timestamptz not null,
    update_time timestamptz not null,
    constraint calendars_key primary key (tenant_id, calendar_id)
);
alter table calendars enable row level security;
alter table calendars force row level security;
create policy tenant_rows on calendars to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update on calendars to reflex_app;
