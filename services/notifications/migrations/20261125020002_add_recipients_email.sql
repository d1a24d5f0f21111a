-- Where mail reaches a person, and where it came back from.
alter table recipients
    -- Empty while unknown.
    add column email text not null default '',
    -- The address a mail server said does not exist; empty for none.
    add column bounced_email text not null default '',
    -- When it said so: it is tried again some weeks later.
    add column bounce_time timestamptz;
