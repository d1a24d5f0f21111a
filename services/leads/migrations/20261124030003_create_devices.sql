-- Machines at customers.
create table devices (
    tenant_id text collate "C" not null,
    device_id text collate "C" not null,
    model text not null,
    -- Empty while it is not known.
    serial text not null,
    install_date date,
    create_time timestamptz not null,
    update_time timestamptz not null,
    constraint devices_key primary key (tenant_id, device_id)
);
create unique index devices_serial_key on devices (tenant_id, model, serial) where serial <> '';
alter table devices enable row level security;
alter table devices force row level security;
create policy tenant_rows on devices to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update on devices to reflex_app;
