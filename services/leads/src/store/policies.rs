//! Rows of routing policies and of when which became active.

use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx};
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgConnection, types::Json};

use crate::domain::routing::PolicySpec;

/// A version to be written.
pub(crate) struct NewVersion<'a> {
    pub(crate) version: i32,
    pub(crate) spec: &'a PolicySpec,
    /// Who stores it.
    pub(crate) author: &'a str,
    /// Why.
    pub(crate) note: &'a str,
}

/// The newest version.
pub(crate) struct Newest {
    pub(crate) version: i32,
    pub(crate) spec: PolicySpec,
    pub(crate) note: String,
}

/// What is known of a version beside its content.
#[derive(Debug, FromRow)]
pub(crate) struct VersionRow {
    pub(crate) version: i32,
    pub(crate) create_time: SqlTimestamp,
    pub(crate) author: Option<String>,
    pub(crate) note: String,
    pub(crate) entry_count: i32,
    /// When it became active the last time.
    pub(crate) activate_time: Option<SqlTimestamp>,
    pub(crate) activation_count: i32,
    /// Whether it is the active one.
    pub(crate) active: bool,
}

/// An activation to be written.
pub(crate) struct NewActivation<'a> {
    pub(crate) version: i32,
    /// Active until then.
    pub(crate) previous: Option<i32>,
    /// Who does it.
    pub(crate) actor: &'a str,
    /// Why.
    pub(crate) note: &'a str,
}

/// A version became the active one.
#[derive(Debug, FromRow)]
pub(crate) struct ActivationRow {
    pub(crate) number: i32,
    pub(crate) version: i32,
    pub(crate) previous_version: Option<i32>,
    pub(crate) activate_time: SqlTimestamp,
    pub(crate) actor: Option<String>,
    pub(crate) note: String,
}

/// Which rows of a list to read, newest first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slice {
    /// Only those before it.
    pub(crate) before: Option<i32>,
    pub(crate) limit: i64,
}

/// Returns a version of the policy, the active one for `None`, if it exists.
pub(crate) async fn find(
    tx: &mut PgConnection,
    tenant: &TenantId,
    version: Option<i32>,
) -> Result<Option<(i32, PolicySpec)>, DbError> {
    let row: Option<(i32, Json<PolicySpec>)> = sqlx::query_as(
        "select version, definition from routing_policies
         where tenant_id = $1 and version = coalesce($2, (
             select version from policy_activations where tenant_id = $1 order by number desc limit 1))",
    )
    .bind(tenant.as_str())
    .bind(version)
    .fetch_optional(tx)
    .await?;
    Ok(row.map(|(version, Json(spec))| (version, spec)))
}

/// Returns the newest version, active or not, if there is any.
pub(crate) async fn find_newest(tx: &mut PgConnection, tenant: &TenantId) -> Result<Option<Newest>, DbError> {
    let row: Option<(i32, Json<PolicySpec>, String)> = sqlx::query_as(
        "select version, definition, note from routing_policies where tenant_id = $1 order by version desc limit 1",
    )
    .bind(tenant.as_str())
    .fetch_optional(tx)
    .await?;
    Ok(row.map(|(version, Json(spec), note)| Newest { version, spec, note }))
}

/// Writes a new version.
pub(crate) async fn insert(
    tx: &mut PgConnection,
    tenant: &TenantId,
    new: &NewVersion<'_>,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "insert into routing_policies (tenant_id, version, definition, author, note, create_time)
         values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(tenant.as_str())
    .bind(new.version)
    .bind(Json(new.spec))
    .bind(new.author)
    .bind(new.note)
    .bind(now.to_sqlx())
    .execute(tx)
    .await?;
    Ok(())
}

/// Makes a version the active one; the tenant's setup must be locked.
pub(crate) async fn activate(
    tx: &mut PgConnection,
    tenant: &TenantId,
    new: &NewActivation<'_>,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "insert into policy_activations (tenant_id, number, version, previous_version, activate_time, actor, note)
         select $1, coalesce(max(number), 0) + 1, $2, $3, $4, $5, $6 from policy_activations where tenant_id = $1",
    )
    .bind(tenant.as_str())
    .bind(new.version)
    .bind(new.previous)
    .bind(now.to_sqlx())
    .bind(new.actor)
    .bind(new.note)
    .execute(tx)
    .await?;
    Ok(())
}

/// Lists versions without their content, newest first; only the given one, if one is given.
pub(crate) async fn list(
    tx: &mut PgConnection,
    tenant: &TenantId,
    only: Option<i32>,
    slice: Slice,
) -> Result<Vec<VersionRow>, DbError> {
    let rows = sqlx::query_as(
        "select p.version, p.create_time, p.author, p.note,
             jsonb_array_length(p.definition -> 'entries') as entry_count,
             a.activate_time, a.activation_count, coalesce(p.version = (
                 select version from policy_activations where tenant_id = $1 order by number desc limit 1), false) as active
         from routing_policies p
         cross join lateral (
             select max(activate_time) as activate_time, count(*)::integer as activation_count from policy_activations
             where tenant_id = p.tenant_id and version = p.version) a
         where p.tenant_id = $1 and ($2::integer is null or p.version = $2)
             and ($3::integer is null or p.version < $3)
         order by p.version desc limit $4",
    )
    .bind(tenant.as_str())
    .bind(only)
    .bind(slice.before)
    .bind(slice.limit)
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

/// Lists activations, latest first.
pub(crate) async fn list_activations(
    tx: &mut PgConnection,
    tenant: &TenantId,
    slice: Slice,
) -> Result<Vec<ActivationRow>, DbError> {
    let rows = sqlx::query_as(
        "select number, version, previous_version, activate_time, actor, note from policy_activations
         where tenant_id = $1 and ($2::integer is null or number < $2)
         order by number desc limit $3",
    )
    .bind(tenant.as_str())
    .bind(slice.before)
    .bind(slice.limit)
    .fetch_all(tx)
    .await?;
    Ok(rows)
}
