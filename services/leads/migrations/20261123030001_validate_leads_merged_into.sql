alter table leads
    validate constraint leads_merged_into_fkey,
    validate constraint leads_state_check,
    validate constraint leads_merged_check;
