-- Not concurrently: no fact has a transaction yet, so the index starts empty, and migrations that wait for each other's lock
-- would deadlock with it.
create index outbox_transaction_index on outbox (tenant_id, transaction_id, id) where transaction_id is not null;
