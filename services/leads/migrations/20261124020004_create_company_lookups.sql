-- What the connected registry said of a domain, and when to ask it (again).
create table company_lookups (
    tenant_id text collate "C" not null,
    domain text collate "C" not null,
    shard smallint not null,
    -- Null until there is an answer.
    lookup_time timestamptz,
    -- Null where the registry does not list the domain.
    company text,
    found_domain text collate "C",
    industry_code text collate "C",
    -- Null while nothing is to be asked.
    next_attempt_time timestamptz,
    attempts integer not null default 0,
    -- Why the last attempt failed; null when it did not.
    failure text,
    constraint company_lookups_key primary key (tenant_id, domain)
);
create index company_lookups_due_index on company_lookups (shard, next_attempt_time) where next_attempt_time is not null;
alter table company_lookups enable row level security;
alter table company_lookups force row level security;
create policy tenant_rows on company_lookups to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
create policy due_rows on company_lookups for select to reflex_worker using (next_attempt_time is not null);
grant select, insert, update on company_lookups to reflex_app;
grant select (tenant_id, domain, shard, next_attempt_time) on company_lookups to reflex_worker;
