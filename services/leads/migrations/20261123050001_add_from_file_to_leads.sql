-- Whether a lead came with a file. Those are routed after leads that come by themselves: nobody waits for a call of the
-- 100,000th row, and whoever has just filled in a form must not wait for 99,999 others.
alter table leads add column from_file boolean not null default false;
drop index leads_captured_index;
create index leads_captured_index on leads (shard, from_file, sequence) where state = 'captured';
grant select (from_file) on leads to reflex_worker;
