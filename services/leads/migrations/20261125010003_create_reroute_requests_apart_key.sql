-- A lead is tried by itself once. Not concurrently, as migrations that wait for each other's lock would deadlock with it: there are
-- few requests at any time, and none of them is apart yet.
create unique index reroute_requests_apart_key on reroute_requests (tenant_id, lead_id) where apart;
