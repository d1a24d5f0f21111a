-- The leads of an account, whose calculated values follow it. Not concurrently, as migrations that wait for each other's lock
-- would deadlock with it: captures wait some seconds for each million leads that name an account.
create index leads_account_index on leads (tenant_id, account, lead_id) where account <> '';
