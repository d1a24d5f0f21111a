-- Forms that websites send leads with.
create table forms (
    tenant_id text collate "C" not null,
    form_id text collate "C" not null,
    title text not null,
    source text not null,
    -- Public: it stands in the page. It names the form, it does not guard it.
    write_key text collate "C" not null,
    allowed_origins text[] not null,
    posts_per_minute integer not null,
    default_product text not null,
    enabled boolean not null,
    create_time timestamptz not null,
    update_time timestamptz not null,
    constraint forms_key primary key (tenant_id, form_id),
    constraint forms_write_key_key unique (tenant_id, write_key),
    constraint forms_posts_per_minute_check check (posts_per_minute between 1 and 100000)
);
alter table forms enable row level security;
alter table forms force row level security;
create policy tenant_rows on forms to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update on forms to reflex_app;
