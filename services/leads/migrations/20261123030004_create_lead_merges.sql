-- Merges of leads with all that undoing them needs; rows of undone merges stay on record.
create table lead_merges (
    tenant_id text collate "C" not null,
    merge_id uuid not null,
    -- The lead that stays.
    survivor uuid not null,
    -- The lead that became a pointer to it.
    loser uuid not null,
    merge_time timestamptz not null,
    -- Who decided it; null when it was not a member.
    member text collate "C",
    reason text not null,
    -- Which of the two is believed where both say something else, and why: "confirmed" or "newer".
    preferred text collate "C" not null,
    because text collate "C" not null,
    -- Fields whose side was chosen: {"phone": "loser"}.
    choices jsonb not null,
    -- What the survivor said before and after, and where both stood.
    images jsonb not null,
    -- The timers that were stopped, as rows.
    loser_timers jsonb not null,
    survivor_timers jsonb not null,
    unmerge_time timestamptz,
    unmerge_member text collate "C",
    unmerge_reason text,
    constraint lead_merges_key primary key (tenant_id, merge_id),
    constraint lead_merges_survivor_fkey foreign key (tenant_id, survivor) references leads (tenant_id, lead_id),
    constraint lead_merges_loser_fkey foreign key (tenant_id, loser) references leads (tenant_id, lead_id),
    constraint lead_merges_preferred_check check (preferred in ('survivor', 'loser')),
    constraint lead_merges_because_check check (because in ('confirmed', 'newer'))
);
-- A lead is merged into one other at a time.
create unique index lead_merges_active_key on lead_merges (tenant_id, loser) where unmerge_time is null;
create index lead_merges_survivor_index on lead_merges (tenant_id, survivor, merge_id);
create index lead_merges_loser_index on lead_merges (tenant_id, loser, merge_id);
alter table lead_merges enable row level security;
alter table lead_merges force row level security;
create policy tenant_rows on lead_merges to reflex_app
    using (tenant_id = any ((select bound_tenants())::text[]))
    with check (tenant_id = any ((select bound_tenants())::text[]));
grant select, insert, update on lead_merges to reflex_app;
