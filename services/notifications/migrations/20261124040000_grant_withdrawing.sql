-- An inbox does not keep what is about a lead that is gone.
grant delete on inbox_items to reflex_app;
