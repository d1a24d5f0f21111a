-- Names of attributes that some account has or had: what formulas may read, and what a misspelt name is compared with.
create table account_attributes (
    tenant_id text collate "C" not null,
    name text collate "C" not null,
    constraint account_attributes_key primary key (tenant_id, name)
);
alter table account_attributes enable row level security;
alter table account_attributes force row level security;
create policy tenant_rows on account_attributes to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert on account_attributes to reflex_app;
