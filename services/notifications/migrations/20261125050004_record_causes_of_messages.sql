-- Why somebody was told: what kind of event it was, and for a step of a ladder which one.
alter table messages
    -- For example "reflex.leads.v1.LeadEscalated"; null for digests, and for messages written before this was kept.
    add column cause_kind text collate "C",
    -- Step of the ladder, from 1; null for what is no step.
    add column ladder_step integer;
