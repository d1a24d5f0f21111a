-- Who shall not have the lead again before when, as they lost it to the pool: [{"member", "since", "until"}], those that are
-- over included; null for most leads.
alter table leads add column cooldowns jsonb;
