-- Companies by the domain of their mail, of the last few imports.
create table gate_companies (
    tenant_id text collate "C" not null,
    version integer not null,
    -- In small letters.
    domain text collate "C" not null,
    company text not null,
    -- As the list has it.
    industry_code text collate "C" not null,
    constraint gate_companies_key primary key (tenant_id, version, domain)
);
alter table gate_companies enable row level security;
alter table gate_companies force row level security;
create policy tenant_rows on gate_companies to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, delete on gate_companies to reflex_app;
