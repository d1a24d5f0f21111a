-- Products and product lines that leads ask for.
create table products (
    tenant_id text collate "C" not null,
    product_id text collate "C" not null,
    display_name text not null,
    parent text collate "C",
    aliases text[] not null,
    create_time timestamptz not null,
    update_time timestamptz not null,
    constraint products_key primary key (tenant_id, product_id),
    constraint products_parent_fkey foreign key (tenant_id, parent) references products (tenant_id, product_id)
);
create index products_parent_index on products (tenant_id, parent) where parent is not null;
alter table products enable row level security;
alter table products force row level security;
create policy tenant_rows on products to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update on products to reflex_app;
