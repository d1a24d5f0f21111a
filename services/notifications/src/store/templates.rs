//! Tenants' own words.

use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx};
use reflex_pg::DbError;
use reflex_templates::{Key, Locale};
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgConnection};

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
    /// When it was published.
    pub publish_time: Timestamp,
    /// "members/{member}"; empty when it was not a member.
    pub publisher: String,
}

#[derive(FromRow)]
struct Row {
    key: String,
    locale: String,
    version: i32,
    title: String,
    body: String,
    publisher: String,
    create_time: SqlTimestamp,
}

impl Row {
    /// Returns none for a kind that a later release knows, and this one does not.
    fn known(self) -> Option<OwnTemplate> {
        Some(OwnTemplate {
            key: Key::find(&self.key)?,
            locale: Locale::find(&self.locale)?,
            version: self.version,
            title: self.title,
            body: self.body,
            publish_time: self.create_time.to_jiff(),
            publisher: self.publisher,
        })
    }
}

/// Lists the active templates of a tenant.
///
/// # Errors
/// When the database fails.
pub async fn active(tx: &mut PgConnection, tenant: &TenantId) -> Result<Vec<OwnTemplate>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "select distinct on (key, locale) key, locale, version, title, body, publisher, create_time
         from templates where tenant_id = $1
         order by key, locale, version desc",
    )
    .bind(tenant.as_str())
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().filter_map(Row::known).collect())
}

/// Which versions of a template to list.
#[derive(Debug, Clone, Copy)]
pub struct Versions {
    /// What it is for.
    pub key: Key,
    /// Its language.
    pub locale: Locale,
    /// Only those up to this one.
    pub up_to: i32,
    /// How many.
    pub limit: i64,
}

/// Lists versions of a tenant's template, newest first.
///
/// # Errors
/// When the database fails.
pub async fn versions(
    tx: &mut PgConnection,
    tenant: &TenantId,
    wanted: &Versions,
) -> Result<Vec<OwnTemplate>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "select key, locale, version, title, body, publisher, create_time from templates
         where tenant_id = $1 and key = $2 and locale = $3 and version <= $4
         order by version desc limit $5",
    )
    .bind(tenant.as_str())
    .bind(wanted.key.as_str())
    .bind(wanted.locale.as_str())
    .bind(wanted.up_to)
    .bind(wanted.limit)
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().filter_map(Row::known).collect())
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
pub async fn insert(tx: &mut PgConnection, tenant: &TenantId, template: &OwnTemplate) -> Result<(), DbError> {
    sqlx::query(
        "insert into templates (tenant_id, key, locale, version, title, body, publisher, create_time)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(tenant.as_str())
    .bind(template.key.as_str())
    .bind(template.locale.as_str())
    .bind(template.version)
    .bind(&template.title)
    .bind(&template.body)
    .bind(&template.publisher)
    .bind(template.publish_time.to_sqlx())
    .execute(tx)
    .await?;
    Ok(())
}
