-- Whether the lead is only tried by itself, as it made a request about many leads fail; those pass it over meanwhile.
alter table reroute_requests add column apart boolean not null default false;
