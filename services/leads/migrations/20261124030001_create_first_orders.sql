-- The first order that each lead led to.
create table first_orders (
    tenant_id text collate "C" not null,
    lead_id uuid not null,
    -- Its number where it was made.
    order_id text collate "C" not null,
    order_time timestamptz not null,
    amount_fen bigint not null,
    update_time timestamptz not null,
    constraint first_orders_key primary key (tenant_id, lead_id),
    constraint first_orders_lead_fkey foreign key (tenant_id, lead_id) references leads (tenant_id, lead_id),
    constraint first_orders_amount_check check (amount_fen >= 0)
);
alter table first_orders enable row level security;
alter table first_orders force row level security;
create policy tenant_rows on first_orders to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update on first_orders to reflex_app;
