-- People who work for customers.
create table contacts (
    tenant_id text collate "C" not null,
    contact_id text collate "C" not null,
    -- Empty once the person was erased, as is everything else of them.
    display_name text not null,
    title text not null,
    phones text[] not null,
    emails text[] not null,
    create_time timestamptz not null,
    update_time timestamptz not null,
    constraint contacts_key primary key (tenant_id, contact_id)
);
alter table contacts enable row level security;
alter table contacts force row level security;
create policy tenant_rows on contacts to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update on contacts to reflex_app;
