-- Turns that members took for leads of an import that is being undone: what they cost is given back at its end, all at once.
create table lead_import_refunds (
    tenant_id text collate "C" not null,
    import_id uuid not null,
    team text collate "C" not null,
    skills text collate "C" not null,
    member text collate "C" not null,
    -- Virtual time they cost, see `turns`.
    cost bigint not null,
    -- The first of them, and the member's turn before it; of number 0 where there was none.
    first_decision uuid not null,
    finish_before bigint not null,
    number_before bigint not null,
    constraint lead_import_refunds_key primary key (tenant_id, import_id, team, skills, member)
);
alter table lead_import_refunds enable row level security;
alter table lead_import_refunds force row level security;
create policy tenant_rows on lead_import_refunds to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update, delete on lead_import_refunds to reflex_app;
