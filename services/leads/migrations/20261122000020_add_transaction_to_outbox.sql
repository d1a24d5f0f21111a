-- The transaction that wrote a fact, so that facts can be read in an order in which nothing appears later between what was
-- read: ids are taken before the commit and become visible in any order. Facts from before this column have none; a
-- default that is set afterwards does not rewrite the table.
alter table outbox add column transaction_id xid8;
alter table outbox alter column transaction_id set default pg_current_xact_id();
