-- From when customers follow the full flow, and how old knowledge may be.
create table customer_policies (
    tenant_id text collate "C" not null,
    cutover_date date,
    fresh_days integer not null,
    stale_days integer not null,
    update_time timestamptz not null,
    constraint customer_policies_key primary key (tenant_id),
    constraint customer_policies_days_check check (fresh_days > 0 and stale_days > fresh_days)
);
alter table customer_policies enable row level security;
alter table customer_policies force row level security;
create policy tenant_rows on customer_policies to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update on customer_policies to reflex_app;
