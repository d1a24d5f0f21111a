-- Values to be calculated anew, written with the change that is the reason, and how far that has come.
create table field_recomputes (
    tenant_id text collate "C" not null,
    id bigint generated always as identity,
    shard smallint not null,
    -- What: all leads, the leads of one account, all accounts, or the keys of a deleted field, which go.
    target text collate "C" not null,
    account text collate "C" not null default '',
    field_key bigint not null default 0,
    -- The last record that is done; null before the first.
    cursor text collate "C",
    constraint field_recomputes_key primary key (tenant_id, target, account, field_key),
    constraint field_recomputes_target_check check (target in ('leads', 'account_leads', 'accounts', 'keys'))
);
create index field_recomputes_shard_index on field_recomputes (shard, id);
alter table field_recomputes enable row level security;
alter table field_recomputes force row level security;
create policy tenant_rows on field_recomputes to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
create policy waiting_rows on field_recomputes for select to reflex_worker using (true);
grant select, insert, update, delete on field_recomputes to reflex_app;
grant select on field_recomputes to reflex_worker;
