-- Subjects nobody needs to be reminded of any more: the first contact was recorded.
create table stops (
    tenant_id text collate "C" not null,
    subject text collate "C" not null,
    create_time timestamptz not null,
    constraint stops_key primary key (tenant_id, subject)
);
alter table stops enable row level security;
alter table stops force row level security;
create policy tenant_rows on stops to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert on stops to reflex_app;
