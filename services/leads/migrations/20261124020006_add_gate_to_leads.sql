-- Leads that are kept from salespeople, and when they came back. The check is not looked at for the rows there are: they have
-- none of the new states.
alter table leads
    add column return_time timestamptz,
    drop constraint leads_state_check,
    add constraint leads_state_check check (state in ('captured', 'queued', 'assigned', 'claimed', 'contacted', 'closed', 'merged',
        'held', 'nurture', 'set_aside')) not valid;
