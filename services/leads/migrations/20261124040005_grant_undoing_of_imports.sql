-- Leads and what came of them go for one reason: the import that stored them is undone.
grant delete on leads to reflex_app;
grant delete on routing_decisions to reflex_app;
grant delete on lead_history to reflex_app;
grant delete on escalations to reflex_app;
grant delete on follow_ups to reflex_app;
grant delete on lead_facts to reflex_app;
grant delete on lead_disputes to reflex_app;
grant delete on turns to reflex_app;
