-- What is paid for channels, each cost borne by some months in equal shares.
create table channel_costs (
    tenant_id text collate "C" not null,
    channel_cost_id text collate "C" not null,
    -- The source that leads of the channel carry.
    source text not null,
    title text not null,
    amount_fen bigint not null,
    -- Months since the year 0: 12 times the year, plus 0 for January.
    first_month integer not null,
    month_count integer not null,
    update_time timestamptz not null,
    constraint channel_costs_key primary key (tenant_id, channel_cost_id),
    constraint channel_costs_amount_check check (amount_fen >= 0),
    constraint channel_costs_months_check check (month_count between 1 and 120)
);
alter table channel_costs enable row level security;
alter table channel_costs force row level security;
create policy tenant_rows on channel_costs to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update on channel_costs to reflex_app;
