-- What came of a lead goes with it when its import is undone.
grant delete on first_orders to reflex_app;
grant delete on decision_roles to reflex_app;
grant delete on decision_maps to reflex_app;
