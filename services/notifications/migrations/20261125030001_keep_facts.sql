-- What the variables of a message stood for, so that other words can be tried with real facts: an object of texts. Only on the
-- message to the inbox, once for all channels; null where there is none, and once it is erased.
alter table messages add column facts jsonb;
