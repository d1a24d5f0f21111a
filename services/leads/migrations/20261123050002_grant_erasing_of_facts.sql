-- What was seen of a lead goes when somebody's data have to.
grant delete on lead_facts to reflex_app;
