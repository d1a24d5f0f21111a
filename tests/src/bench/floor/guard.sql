-- Row security as every table of Reflex has it, on the tables of one schema; the same rights on both.
grant usage on schema bare, guarded to reflex_app;
grant select, insert on all tables in schema bare, guarded to reflex_app;
alter table guarded.leads enable row level security;
alter table guarded.leads force row level security;
create policy tenant_rows on guarded.leads to reflex_app
    using (tenant_id = any ((select public.bound_tenants())::text[]))
    with check (tenant_id = any ((select public.bound_tenants())::text[]));
alter table guarded.outbox enable row level security;
alter table guarded.outbox force row level security;
create policy tenant_rows on guarded.outbox to reflex_app
    using (tenant_id = any ((select public.bound_tenants())::text[]))
    with check (tenant_id = any ((select public.bound_tenants())::text[]));
