-- The lead that another one was found to be the same as; only such a lead has the state merged. The check is not looked at for
-- rows from before, so that a large table is not read under its lock; the next file does that without keeping anybody out.
alter table leads
    add column merged_into uuid,
    add constraint leads_merged_into_fkey foreign key (tenant_id, merged_into) references leads (tenant_id, lead_id) not valid,
    drop constraint leads_state_check,
    add constraint leads_state_check
        check (state in ('captured', 'queued', 'assigned', 'claimed', 'contacted', 'closed', 'merged')) not valid,
    add constraint leads_merged_check check ((state = 'merged') = (merged_into is not null)) not valid;
