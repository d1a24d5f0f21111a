-- Plans of prepared statements are kept, and what was planned while a table was nearly empty reads all of it for each row
-- once it has grown. Autovacuum looks once a minute, in which a first import writes 100,000 rows: until then, tables that
-- have doubled since anybody counted their rows are counted again. ANALYZE also makes every plan on the table anew.
create function refresh_statistics() returns integer
    language plpgsql security definer set search_path = public, pg_temp
    as $$
declare
    young text;
    refreshed integer := 0;
begin
    for young in
        select c.relname from pg_class c join pg_stat_user_tables s on s.relid = c.oid
        where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and c.reltuples < 200000
            and s.n_mod_since_analyze > 100 + greatest(c.reltuples, 0)
        order by c.relname
    loop
        execute format('analyze %I', young);
        refreshed := refreshed + 1;
    end loop;
    return refreshed;
end $$;
revoke all on function refresh_statistics() from public;
grant execute on function refresh_statistics() to reflex_worker;
