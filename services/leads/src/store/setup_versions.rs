//! The version of all that a tenant sets up.

use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::PgConnection;

/// Returns the version; 0 for a tenant that has set up nothing.
pub(crate) async fn get(tx: &mut PgConnection, tenant: &TenantId) -> Result<i64, DbError> {
    let version: Option<i64> = sqlx::query_scalar("select version from setup_versions where tenant_id = $1")
        .bind(tenant.as_str())
        .fetch_optional(tx)
        .await?;
    Ok(version.unwrap_or_default())
}

/// Keeps the tenant's setup from changing until the transaction ends, and returns the version; `None` for a tenant that has
/// set up nothing, where there is nothing to keep.
pub(crate) async fn share(tx: &mut PgConnection, tenant: &TenantId) -> Result<Option<i64>, DbError> {
    let version = sqlx::query_scalar("select version from setup_versions where tenant_id = $1 for share")
        .bind(tenant.as_str())
        .fetch_optional(tx)
        .await?;
    Ok(version)
}

/// Lets nobody else change the tenant's setup until the transaction ends, and returns the version.
pub(crate) async fn lock(tx: &mut PgConnection, tenant: &TenantId) -> Result<i64, DbError> {
    let version = sqlx::query_scalar(
        "insert into setup_versions as v (tenant_id, version) values ($1, nextval('setup_version_numbers'))
         on conflict (tenant_id) do update set version = v.version
         returning version",
    )
    .bind(tenant.as_str())
    .fetch_one(tx)
    .await?;
    Ok(version)
}

/// Gives a locked setup a version it never had; after the last write to it, so that nobody keeps half of a change.
pub(crate) async fn change(tx: &mut PgConnection, tenant: &TenantId) -> Result<(), DbError> {
    sqlx::query("update setup_versions set version = nextval('setup_version_numbers') where tenant_id = $1")
        .bind(tenant.as_str())
        .execute(tx)
        .await?;
    Ok(())
}
