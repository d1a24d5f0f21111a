-- What people said about whether leads are ones, whatever they look like; the last word counts. Screening learns from it.
create table validity_corrections (
    tenant_id text collate "C" not null,
    lead_id uuid not null,
    label text collate "C" not null,
    -- Codes of what was found about the lead, for it and against it.
    reasons text[] collate "C" not null,
    note text not null,
    -- Null for somebody who is no member.
    member text collate "C",
    correct_time timestamptz not null,
    constraint validity_corrections_key primary key (tenant_id, lead_id),
    constraint validity_corrections_label_check check (label in ('valid', 'invalid')),
    constraint validity_corrections_lead_fkey foreign key (tenant_id, lead_id) references leads (tenant_id, lead_id)
);
create index validity_corrections_time_index on validity_corrections (tenant_id, correct_time, lead_id);
alter table validity_corrections enable row level security;
alter table validity_corrections force row level security;
create policy tenant_rows on validity_corrections to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update, delete on validity_corrections to reflex_app;
