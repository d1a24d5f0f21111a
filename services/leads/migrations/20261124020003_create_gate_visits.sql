-- The latest visit of each competitor by each visitor, of the last few imports.
create table gate_visits (
    tenant_id text collate "C" not null,
    version integer not null,
    -- Mail address in small letters, digits of a phone number without the country's, or a company's domain.
    visitor text collate "C" not null,
    competitor text not null,
    visit_time timestamptz not null,
    constraint gate_visits_key primary key (tenant_id, version, visitor, competitor)
);
alter table gate_visits enable row level security;
alter table gate_visits force row level security;
create policy tenant_rows on gate_visits to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, delete on gate_visits to reflex_app;
