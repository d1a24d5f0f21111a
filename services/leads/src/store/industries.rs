//! Rows of the tree of industries, which are only ever added to.

use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx};
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgConnection};

use crate::domain::industry::Industry;

/// A version as stored.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct VersionRow {
    pub(crate) version: i32,
    pub(crate) title: String,
    pub(crate) industry_count: i32,
    pub(crate) digest: Vec<u8>,
    pub(crate) create_time: SqlTimestamp,
}

#[derive(FromRow)]
struct IndustryRow {
    code: String,
    parent: Option<String>,
    name_zh: String,
    name_en: String,
    level: i16,
}

impl From<IndustryRow> for Industry {
    fn from(row: IndustryRow) -> Self {
        Self {
            code: row.code,
            parent: row.parent,
            name_zh: row.name_zh,
            name_en: row.name_en,
            level: row.level,
        }
    }
}

/// Lists versions, the newest first, older than `before`.
pub(crate) async fn list_versions(
    tx: &mut PgConnection,
    tenant: &TenantId,
    before: Option<i32>,
    limit: i64,
) -> Result<Vec<VersionRow>, DbError> {
    let rows = sqlx::query_as(
        "select version, title, industry_count, digest, create_time from industry_versions
         where tenant_id = $1 and version < coalesce($2, 2147483647) order by version desc limit $3",
    )
    .bind(tenant.as_str())
    .bind(before)
    .bind(limit)
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

/// Finds a version, or without a number the newest one.
pub(crate) async fn find_version(
    tx: &mut PgConnection,
    tenant: &TenantId,
    version: Option<i32>,
) -> Result<Option<VersionRow>, DbError> {
    let before = version.map(|version| version.saturating_add(1));
    let newest = list_versions(tx, tenant, before, 1).await?.into_iter().next();
    Ok(newest.filter(|row| version.is_none_or(|version| version == row.version)))
}

/// Writes a version with its industries.
pub(crate) async fn insert_version(
    tx: &mut PgConnection,
    tenant: &TenantId,
    row: &VersionRow,
    tree: &[Industry],
) -> Result<(), DbError> {
    sqlx::query(
        "insert into industry_versions (tenant_id, version, title, industry_count, digest, create_time)
         values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(tenant.as_str())
    .bind(row.version)
    .bind(&row.title)
    .bind(row.industry_count)
    .bind(&row.digest)
    .bind(Timestamp::to_sqlx(row.create_time.to_jiff()))
    .execute(&mut *tx)
    .await?;
    sqlx::query(
        "insert into industries (tenant_id, version, code, parent, name_zh, name_en, level)
         select $1, $2, code, parent, name_zh, name_en, level
         from unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::int2[])
             as new (code, parent, name_zh, name_en, level)",
    )
    .bind(tenant.as_str())
    .bind(row.version)
    .bind(tree.iter().map(|it| it.code.as_str()).collect::<Vec<_>>())
    .bind(tree.iter().map(|it| it.parent.as_deref()).collect::<Vec<_>>())
    .bind(tree.iter().map(|it| it.name_zh.as_str()).collect::<Vec<_>>())
    .bind(tree.iter().map(|it| it.name_en.as_str()).collect::<Vec<_>>())
    .bind(tree.iter().map(|it| it.level).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

/// Lists industries of a version by code, those only that have `text` as code or in a name.
pub(crate) async fn list(
    tx: &mut PgConnection,
    tenant: &TenantId,
    (version, text): (i32, &str),
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<Industry>, DbError> {
    let rows: Vec<IndustryRow> = sqlx::query_as(
        "select code, parent, name_zh, name_en, level from industries
         where tenant_id = $1 and version = $2 and code > coalesce($4, '')
             and ($3 = '' or lower(code) = lower($3) or position($3 in name_zh) > 0
                 or position(lower($3) in lower(name_en)) > 0)
         order by code limit $5",
    )
    .bind(tenant.as_str())
    .bind(version)
    .bind(text)
    .bind(after)
    .bind(limit)
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(Industry::from).collect())
}

/// Tells whether a version has a code.
pub(crate) async fn has(tx: &mut PgConnection, tenant: &TenantId, version: i32, code: &str) -> Result<bool, DbError> {
    let has = sqlx::query_scalar(
        "select exists (select from industries where tenant_id = $1 and version = $2 and code = $3)",
    )
    .bind(tenant.as_str())
    .bind(version)
    .bind(code)
    .fetch_one(tx)
    .await?;
    Ok(has)
}
