-- Where leads and accounts stand in lists ordered by a calculated field.
create table calculated_keys (
    tenant_id text collate "C" not null,
    field_key bigint not null,
    -- The id of a lead, or the account.
    record text collate "C" not null,
    -- In the order of the values; null for a blank.
    sort_key text collate "C",
    constraint calculated_keys_key primary key (tenant_id, field_key, record)
);
create index calculated_keys_order_index on calculated_keys (tenant_id, field_key, sort_key, record);
alter table calculated_keys enable row level security;
alter table calculated_keys force row level security;
create policy tenant_rows on calculated_keys to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update, delete on calculated_keys to reflex_app;
