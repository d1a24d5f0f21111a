-- What the links of a message need to know.
alter table messages
    -- Fencing token of the ownership that the message tells of; null when it tells of none.
    add column fencing_token bigint,
    -- How what the message is about has gone; null while it is there.
    add column gone text,
    add constraint messages_gone_check check (gone in ('erased', 'withdrawn'));
