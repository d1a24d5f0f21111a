-- Who is reminded again of a lead that is one of its own again, after it had stood for another.
grant delete on stops to reflex_app;
