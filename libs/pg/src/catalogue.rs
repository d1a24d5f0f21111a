//! Start-up check that the database itself keeps tenants apart.

use sqlx::PgPool;

use crate::DbError;

/// Returns every way in which the schema or the role would let a tenant see or touch another's rows; empty when sound.
///
/// # Errors
/// When the database is away.
pub async fn findings(app: &PgPool) -> Result<Vec<String>, DbError> {
    Ok(sqlx::query_scalar(FINDINGS).fetch_all(app).await?)
}

const FINDINGS: &str = "
with tenant_tables as (
    select c.oid, c.relname, c.relowner, c.relrowsecurity, c.relforcerowsecurity
    from pg_class c join pg_attribute a on a.attrelid = c.oid
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
        and a.attname = 'tenant_id' and not a.attisdropped
), identity_columns as (
    select attrelid, attnum from pg_attribute where attidentity <> ''
)
select format('table %s: row level security is not both enabled and forced', relname) from tenant_tables
    where not (relrowsecurity and relforcerowsecurity)
union all
select format('table %s: no policy binds the tenant for reflex_app', t.relname) from tenant_tables t
    where not exists (
        select from pg_policy p where p.polrelid = t.oid
            and 'reflex_app'::regrole::oid = any (p.polroles)
            and pg_get_expr(p.polqual, p.polrelid) like '%bound_tenants()%'
            and pg_get_expr(p.polwithcheck, p.polrelid) like '%bound_tenants()%')
union all
select format('policy %s on %s: lets reflex_app past the tenant', p.polname, t.relname)
    from pg_policy p join tenant_tables t on t.oid = p.polrelid
    where p.polpermissive and p.polroles && array[0::oid, 'reflex_app'::regrole::oid]
        and (pg_get_expr(p.polqual, p.polrelid) not like '%bound_tenants()%'
            or pg_get_expr(p.polwithcheck, p.polrelid) not like '%bound_tenants()%')
union all
select format('table %s: has no tenant_id, yet reflex_app may use it', c.relname) from pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and c.relname <> '_sqlx_migrations'
        and not exists (select from tenant_tables t where t.oid = c.oid)
        and (has_any_column_privilege('reflex_app', c.oid, 'select, insert, update')
            or has_table_privilege('reflex_app', c.oid, 'delete, truncate'))
union all
select format('table %s: owned by the role that serves requests', relname) from tenant_tables
    where pg_has_role(current_user, relowner, 'member')
union all
select format('role %s: superuser or bypasses row level security', rolname) from pg_roles
    where rolname = current_user and (rolsuper or rolbypassrls)
union all
select format('view %s: runs with its owner''s rights', relname) from pg_class
    where relnamespace = 'public'::regnamespace and relkind in ('v', 'm')
        and not coalesce(reloptions @> array['security_invoker=true'], false)
        and not coalesce(reloptions @> array['security_invoker=on'], false)
union all
select format('function %s: security definer and not listed', proname) from pg_proc
    where pronamespace = 'public'::regnamespace and prosecdef and proname not in ('hold_shard', 'refresh_statistics')
union all
select format('key %s: does not start with tenant_id', i.relname)
    from pg_index x join pg_class i on i.oid = x.indexrelid join tenant_tables t on t.oid = x.indrelid
    join pg_attribute a on a.attrelid = x.indrelid and a.attnum = x.indkey[0]
    where x.indisunique and a.attname <> 'tenant_id'
        and not exists (select from identity_columns g where g.attrelid = x.indrelid and g.attnum = x.indkey[0])
union all
select format('foreign key %s: does not start with tenant_id', k.conname)
    from pg_constraint k join tenant_tables t on t.oid = k.conrelid
    join pg_attribute a on a.attrelid = k.conrelid and a.attnum = k.conkey[1]
    where k.contype = 'f' and a.attname <> 'tenant_id'";
