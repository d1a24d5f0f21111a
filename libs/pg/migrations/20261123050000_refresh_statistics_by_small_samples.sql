-- A young table is counted again each time it has doubled: 3,000 of its rows tell the plans apart as well as 30,000, which
-- took most of a second. Autovacuum looks at more of them in its own time.
alter function refresh_statistics() set default_statistics_target = 10;
