-- What routing looks at again, without what waits to be picked: a full pool must not slow it down. Not concurrently, as
-- migrations that wait for each other's lock would deadlock with it: only the leads that wait are read.
create index leads_waiting_index on leads (tenant_id, team, sequence)
    where state = 'queued' and queue_reason <> 'pooled';
