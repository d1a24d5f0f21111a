-- The steps of a sale that salespeople choose from.
create table progress_tags (
    tenant_id text collate "C" not null,
    progress_tag_id text collate "C" not null,
    label text not null,
    stage text collate "C" not null,
    enabled boolean not null,
    update_time timestamptz not null,
    constraint progress_tags_key primary key (tenant_id, progress_tag_id),
    constraint progress_tags_label_key unique (tenant_id, label),
    constraint progress_tags_stage_check
        check (stage in ('contact', 'needs', 'evaluation', 'quotation', 'approval', 'contract'))
);
alter table progress_tags enable row level security;
alter table progress_tags force row level security;
create policy tenant_rows on progress_tags to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update on progress_tags to reflex_app;
