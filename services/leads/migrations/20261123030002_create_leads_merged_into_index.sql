-- The leads that were merged into one. Not concurrently, for the reason that leads_account_index gives; no row is in it yet.
create index leads_merged_into_index on leads (tenant_id, merged_into) where merged_into is not null;
