-- Who imported what, what became of known leads, and how far an undoing is.
alter table lead_imports
    -- Whether the batches say what they stored: those from before cannot be undone.
    add column keeps_images boolean not null default false,
    add column member text collate "C",
    add column source text not null default '',
    add column updated_count bigint not null default 0,
    add column conflict_count bigint not null default 0,
    add column refused_count bigint not null default 0,
    add column cancel_time timestamptz,
    add column undo_time timestamptz,
    add column undo_member text collate "C",
    -- Batches from this one on were looked at; null before the first.
    add column undo_cursor bigint,
    add column undone_time timestamptz,
    add column removed_count bigint not null default 0,
    add column restored_count bigint not null default 0,
    add column kept_count bigint not null default 0;
