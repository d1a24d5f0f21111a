-- Answers of writes that carried a request_id, so that a retry gets the stored answer.
create table request_ids (
    tenant_id text collate "C" not null,
    method text collate "C" not null,
    request_id uuid not null,
    payload_hash bytea not null,
    -- The encoded response; null only inside the transaction that is still making it.
    response bytea,
    create_time timestamptz not null default now(),
    constraint request_ids_key primary key (tenant_id, method, request_id)
);
create index request_ids_create_time_index on request_ids (create_time);
alter table request_ids enable row level security;
alter table request_ids force row level security;
create policy tenant_rows on request_ids to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
create policy expired_rows on request_ids for all to reflex_worker using (true);
grant select, insert, update on request_ids to reflex_app;
grant select (create_time), delete on request_ids to reflex_worker;
