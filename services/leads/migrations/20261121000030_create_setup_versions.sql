-- Versions come from a sequence, because its numbers are not given again after a rollback: what was read under a number
-- that never got committed is never taken for somebody else's.
create sequence setup_version_numbers;
grant usage on sequence setup_version_numbers to reflex_app;

-- Version of all that a tenant sets up (directory, calendars, policy, ladders, forms). Every write of it locks this row
-- first and changes the version last, so that a cache is right as long as the version is the one it was read at.
create table setup_versions (
    tenant_id text collate "C" not null,
    version bigint not null,
    constraint setup_versions_key primary key (tenant_id)
);
alter table setup_versions enable row level security;
alter table setup_versions force row level security;
create policy tenant_rows on setup_versions to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update on setup_versions to reflex_app;
