-- What holds between customers and contacts, devices and products, from when until when; rows end and are never deleted.
create extension if not exists btree_gist;

create table account_relations (
    tenant_id text collate "C" not null,
    relation_id uuid not null,
    account text not null,
    kind text collate "C" not null,
    -- Id of the contact or device, or the product.
    object text not null,
    -- What the contact does there, or where the device stands.
    role text not null,
    -- Of purchase cycles alone.
    period_days integer,
    last_purchase_date date,
    valid_from timestamptz not null,
    -- Null while it is not known.
    valid_to timestamptz,
    create_time timestamptz not null,
    constraint account_relations_key primary key (tenant_id, relation_id),
    constraint account_relations_account_fkey foreign key (tenant_id, account)
        references account_profiles (tenant_id, account),
    constraint account_relations_kind_check check (kind in ('contact', 'device', 'purchase_cycle')),
    constraint account_relations_cycle_check check ((kind = 'purchase_cycle') = (period_days is not null)),
    constraint account_relations_valid_check check (valid_to > valid_from),
    -- A device stands at one customer at a time; a contact has the same role, and a product its cycle, once at a time.
    constraint account_relations_device_excl exclude using gist
        (tenant_id with =, object with =, tstzrange(valid_from, valid_to) with &&) where (kind = 'device'),
    constraint account_relations_contact_excl exclude using gist
        (tenant_id with =, account with =, object with =, role with =, tstzrange(valid_from, valid_to) with &&)
        where (kind = 'contact'),
    constraint account_relations_cycle_excl exclude using gist
        (tenant_id with =, account with =, object with =, tstzrange(valid_from, valid_to) with &&)
        where (kind = 'purchase_cycle')
);
create index account_relations_account_index on account_relations (tenant_id, account, relation_id);
create index account_relations_object_index on account_relations (tenant_id, kind, object);
alter table account_relations enable row level security;
alter table account_relations force row level security;
create policy tenant_rows on account_relations to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update on account_relations to reflex_app;
