-- Who owns an account: its leads go to them.
create table accounts (
    tenant_id text collate "C" not null,
    account text not null,
    owner text collate "C" not null,
    update_time timestamptz not null,
    constraint accounts_key primary key (tenant_id, account)
);
alter table accounts enable row level security;
alter table accounts force row level security;
create policy tenant_rows on accounts to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update, delete on accounts to reflex_app;
