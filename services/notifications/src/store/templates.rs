//! Tenants' own words.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgConnection};

use crate::domain::template::{Key, Locale};

/// A template of a tenant.
#[derive(Debug, Clone)]
pub struct OwnTemplate {
    /// What it is for.
    pub key: Key,
    /// Its language.
    pub locale: Locale,
    /// From 1.
    pub version: i32,
    /// With variables.
    pub title: String,
    /// With variables.
    pub body: String,
}

#[derive(FromRow)]
struct Row {
    key: String,
    locale: String,
    version: i32,
    title: String,
    body: String,
}

/// Lists the active templates of a tenant.
///
/// # Errors
/// When the database fails.
pub async fn active(tx: &mut PgConnection, tenant: &TenantId) -> Result<Vec<OwnTemplate>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "select distinct on (key, locale) key, locale, version, title, body from templates where tenant_id = $1
         order by key, locale, version desc",
    )
    .bind(tenant.as_str())
    .fetch_all(tx)
    .await?;
    // One of a kind that a later release knows, and this one does not, is passed over.
    let known = rows.into_iter().filter_map(|row| {
        Some(OwnTemplate {
            key: Key::find(&row.key)?,
            locale: Locale::find(&row.locale)?,
            version: row.version,
            title: row.title,
            body: row.body,
        })
    });
    Ok(known.collect())
}

/// Lets one publication of a tenant at a time pass, until the transaction ends, so that versions have no gaps.
///
/// # Errors
/// When the database fails.
pub async fn lock(tx: &mut PgConnection, tenant: &TenantId) -> Result<(), DbError> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended('templates/' || $1, 0))")
        .bind(tenant.as_str())
        .execute(tx)
        .await?;
    Ok(())
}

/// Writes a version.
///
/// # Errors
/// When the database fails.
pub async fn insert(
    tx: &mut PgConnection,
    tenant: &TenantId,
    template: &OwnTemplate,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "insert into templates (tenant_id, key, locale, version, title, body, create_time)
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(tenant.as_str())
    .bind(template.key.as_str())
    .bind(template.locale.as_str())
    .bind(template.version)
    .bind(&template.title)
    .bind(&template.body)
    .bind(now.to_sqlx())
    .execute(tx)
    .await?;
    Ok(())
}
