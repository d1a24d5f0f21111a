-- What people know of accounts as customers; what formulas read of them is in account_profiles.
create table customers (
    tenant_id text collate "C" not null,
    -- As account_profiles has it.
    account text not null,
    credit_code text collate "C",
    industry text collate "C",
    industry_version integer,
    -- Null where only the day counts on which the account was put first.
    since_date date,
    -- When anything of the customer was changed last, its relations, contacts and devices included.
    update_time timestamptz not null,
    constraint customers_key primary key (tenant_id, account),
    constraint customers_account_fkey foreign key (tenant_id, account)
        references account_profiles (tenant_id, account),
    constraint customers_industry_check check ((industry is null) = (industry_version is null))
);
create unique index customers_credit_code_key on customers (tenant_id, credit_code) where credit_code is not null;
alter table customers enable row level security;
alter table customers force row level security;
create policy tenant_rows on customers to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update on customers to reflex_app;
