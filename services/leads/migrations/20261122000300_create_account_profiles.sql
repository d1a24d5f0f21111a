-- What is known of accounts; who owns them is in `accounts`, which routing writes and this does not touch.
create table account_profiles (
    tenant_id text collate "C" not null,
    -- As leads and `accounts` have it, their collation included, for keys are compared.
    account text not null,
    display_name text not null,
    attributes jsonb not null,
    -- Values of the calculated fields by name; an object in the place of a value says why there is none.
    calculated jsonb,
    create_time timestamptz not null,
    update_time timestamptz not null,
    constraint account_profiles_key primary key (tenant_id, account)
);
alter table account_profiles enable row level security;
alter table account_profiles force row level security;
create policy tenant_rows on account_profiles to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update on account_profiles to reflex_app;
