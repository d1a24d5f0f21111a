-- Whether the message is an escalation: those keep a pace when their part of the budget is all that is left.
alter table channel_reservations add column is_escalation boolean not null default false;
