-- Pairs of leads that may be the same.
create table lead_duplicates (
    tenant_id text collate "C" not null,
    duplicate_id uuid not null,
    -- The lead that was captured first, and the other one.
    earlier_id uuid not null,
    later_id uuid not null,
    -- How likely they are the same as far as the two tell; from 0.3 on they count as linked.
    raw double precision not null,
    -- Whether what identifies a person is the same in both.
    identified boolean not null,
    -- How likely they are the same beside the other leads that they could be.
    score double precision not null,
    -- What each field says, without quoting it.
    evidence jsonb not null,
    -- "linked" has never been shown to anybody.
    state text collate "C" not null,
    suspect_time timestamptz,
    decide_time timestamptz,
    -- Who decided; null when it was not a member.
    member text collate "C",
    reason text not null default '',
    constraint lead_duplicates_key primary key (tenant_id, duplicate_id),
    constraint lead_duplicates_pair_key unique (tenant_id, earlier_id, later_id),
    constraint lead_duplicates_earlier_fkey foreign key (tenant_id, earlier_id) references leads (tenant_id, lead_id),
    constraint lead_duplicates_later_fkey foreign key (tenant_id, later_id) references leads (tenant_id, lead_id),
    constraint lead_duplicates_order_check check (earlier_id < later_id),
    constraint lead_duplicates_state_check check (state in ('linked', 'suspected', 'withdrawn', 'distinct', 'merged'))
);
create index lead_duplicates_later_index on lead_duplicates (tenant_id, later_id);
-- Lists, newest first.
create index lead_duplicates_state_index on lead_duplicates (tenant_id, state, duplicate_id) where state <> 'linked';
alter table lead_duplicates enable row level security;
alter table lead_duplicates force row level security;
create policy tenant_rows on lead_duplicates to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update, delete on lead_duplicates to reflex_app;
