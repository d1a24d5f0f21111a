-- What is only ever added to is changed for one reason: that somebody's data have to go.
grant update (decision) on routing_decisions to reflex_app;
grant update (detail) on lead_history to reflex_app;
grant update (note, next_action) on follow_ups to reflex_app;
grant update (data) on outbox to reflex_app;
