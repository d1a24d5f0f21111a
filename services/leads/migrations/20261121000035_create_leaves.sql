-- Times somebody is away.
create table leaves (
    tenant_id text collate "C" not null,
    leave_id uuid not null,
    member text collate "C" not null,
    start_time timestamptz not null,
    end_time timestamptz not null,
    reason text not null,
    create_time timestamptz not null,
    update_time timestamptz not null,
    constraint leaves_key primary key (tenant_id, leave_id),
    constraint leaves_times_check check (end_time > start_time),
    constraint leaves_member_fkey foreign key (tenant_id, member) references members (tenant_id, member_id)
);
create index leaves_member_index on leaves (tenant_id, member, start_time, leave_id);
create index leaves_start_time_index on leaves (tenant_id, start_time, leave_id);
create index leaves_end_time_index on leaves (tenant_id, end_time);
alter table leaves enable row level security;
alter table leaves force row level security;
create policy tenant_rows on leaves to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update, delete on leaves to reflex_app;
