-- The tenants the current transaction is bound to; no binding means no rows, never all rows.
create function bound_tenants() returns text[]
    language sql stable parallel safe
    as $$ select string_to_array(nullif(current_setting('reflex.tenants', true), ''), ',') $$;
