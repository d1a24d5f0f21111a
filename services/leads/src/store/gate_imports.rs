//! Lists that the gate asks, by version, and what they say.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx};
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgConnection};

use crate::domain::{
    gate::Company,
    gate_file::{CompanyLine, VisitLine},
};

/// Versions of a kind whose rows are kept, so that an import can be taken back.
const KEPT: i32 = 5;

/// What a list is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ImportKind {
    Companies,
    Visits,
}

impl ImportKind {
    /// Returns the word tables use.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Companies => "companies",
            Self::Visits => "visits",
        }
    }
}

/// The list of a kind that is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ActiveImport {
    pub(crate) version: i32,
    pub(crate) as_of: Timestamp,
}

/// An import as stored.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct ImportRow {
    pub(crate) version: i32,
    pub(crate) as_of: SqlTimestamp,
    pub(crate) import_time: SqlTimestamp,
    pub(crate) row_count: i32,
    pub(crate) undo_time: Option<SqlTimestamp>,
}

/// The lists in force, of companies and of visits.
pub(crate) async fn find_active(
    tx: &mut PgConnection,
    tenant: &TenantId,
) -> Result<(Option<ActiveImport>, Option<ActiveImport>), DbError> {
    let rows: Vec<(String, i32, SqlTimestamp)> = sqlx::query_as(
        "select distinct on (kind) kind, version, as_of from gate_imports
         where tenant_id = $1 and undo_time is null order by kind, version desc",
    )
    .bind(tenant.as_str())
    .fetch_all(tx)
    .await?;
    let of = |kind: ImportKind| {
        let row = rows.iter().find(|(word, ..)| word == kind.as_str())?;
        Some(ActiveImport {
            version: row.1,
            as_of: row.2.to_jiff(),
        })
    };
    Ok((of(ImportKind::Companies), of(ImportKind::Visits)))
}

/// Writes the next import of a kind; the rows of those that are too old to be gone back to go.
pub(crate) async fn insert(
    tx: &mut PgConnection,
    tenant: &TenantId,
    kind: ImportKind,
    (as_of, now): (Timestamp, Timestamp),
    row_count: usize,
) -> Result<ImportRow, DbError> {
    let row: ImportRow = sqlx::query_as(
        "insert into gate_imports (tenant_id, kind, version, as_of, import_time, row_count)
         select $1, $2, coalesce(max(version), 0) + 1, $3, $4, $5 from gate_imports where tenant_id = $1 and kind = $2
         returning version, as_of, import_time, row_count, undo_time",
    )
    .bind(tenant.as_str())
    .bind(kind.as_str())
    .bind(as_of.to_sqlx())
    .bind(now.to_sqlx())
    .bind(i32::try_from(row_count).unwrap_or(i32::MAX))
    .fetch_one(&mut *tx)
    .await?;
    let forget = match kind {
        ImportKind::Companies => "delete from gate_companies where tenant_id = $1 and version <= $2",
        ImportKind::Visits => "delete from gate_visits where tenant_id = $1 and version <= $2",
    };
    sqlx::query(forget)
        .bind(tenant.as_str())
        .bind(row.version - KEPT)
        .execute(tx)
        .await?;
    Ok(row)
}

/// Finds an import and locks it.
pub(crate) async fn find_for_update(
    tx: &mut PgConnection,
    tenant: &TenantId,
    kind: ImportKind,
    version: i32,
) -> Result<Option<ImportRow>, DbError> {
    let row = sqlx::query_as(
        "select version, as_of, import_time, row_count, undo_time from gate_imports
         where tenant_id = $1 and kind = $2 and version = $3 for update",
    )
    .bind(tenant.as_str())
    .bind(kind.as_str())
    .bind(version)
    .fetch_optional(tx)
    .await?;
    Ok(row)
}

/// Tells whether the rows of a version are still kept.
pub(crate) async fn is_kept(
    tx: &mut PgConnection,
    tenant: &TenantId,
    kind: ImportKind,
    version: i32,
) -> Result<bool, DbError> {
    let newest: i32 = sqlx::query_scalar("select max(version) from gate_imports where tenant_id = $1 and kind = $2")
        .bind(tenant.as_str())
        .bind(kind.as_str())
        .fetch_one(tx)
        .await?;
    Ok(version > newest - KEPT)
}

/// Takes an import back.
pub(crate) async fn undo(
    tx: &mut PgConnection,
    tenant: &TenantId,
    kind: ImportKind,
    version: i32,
    now: Timestamp,
) -> Result<(), DbError> {
    // What is behind it and is not kept any more cannot come into force again.
    sqlx::query(
        "update gate_imports set undo_time = $4 where tenant_id = $1 and kind = $2 and undo_time is null
             and (version = $3 or version <= (select max(version) - $5 from gate_imports where tenant_id = $1 and kind = $2))",
    )
    .bind(tenant.as_str())
    .bind(kind.as_str())
    .bind(version)
    .bind(now.to_sqlx())
    .bind(KEPT)
    .execute(tx)
    .await?;
    Ok(())
}

/// Lists imports of a kind before a version, newest first.
pub(crate) async fn list(
    tx: &mut PgConnection,
    tenant: &TenantId,
    kind: ImportKind,
    before: Option<i32>,
    limit: i64,
) -> Result<Vec<ImportRow>, DbError> {
    let rows = sqlx::query_as(
        "select version, as_of, import_time, row_count, undo_time from gate_imports
         where tenant_id = $1 and kind = $2 and ($3::integer is null or version < $3) order by version desc limit $4",
    )
    .bind(tenant.as_str())
    .bind(kind.as_str())
    .bind(before)
    .bind(limit)
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

/// Writes the companies of a version.
pub(crate) async fn insert_companies(
    tx: &mut PgConnection,
    tenant: &TenantId,
    version: i32,
    lines: &[CompanyLine],
) -> Result<(), DbError> {
    sqlx::query(
        "insert into gate_companies (tenant_id, version, domain, company, industry_code)
         select $1, $2, * from unnest($3::text[], $4::text[], $5::text[])",
    )
    .bind(tenant.as_str())
    .bind(version)
    .bind(lines.iter().map(|line| line.domain.as_str()).collect::<Vec<_>>())
    .bind(lines.iter().map(|line| line.company.as_str()).collect::<Vec<_>>())
    .bind(lines.iter().map(|line| line.industry_code.as_str()).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

/// Writes the visits of a version, the latest of each visitor to each competitor.
pub(crate) async fn insert_visits(
    tx: &mut PgConnection,
    tenant: &TenantId,
    version: i32,
    lines: &[VisitLine],
) -> Result<u64, DbError> {
    let written = sqlx::query(
        "insert into gate_visits (tenant_id, version, visitor, competitor, visit_time)
         select $1, $2, visitor, competitor, max(visit_time)
         from unnest($3::text[], $4::text[], $5::timestamptz[]) as line (visitor, competitor, visit_time)
         group by visitor, competitor",
    )
    .bind(tenant.as_str())
    .bind(version)
    .bind(lines.iter().map(|line| line.visitor.as_str()).collect::<Vec<_>>())
    .bind(lines.iter().map(|line| line.competitor.as_str()).collect::<Vec<_>>())
    .bind(lines.iter().map(|line| line.visit_time.to_sqlx()).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(written.rows_affected())
}

/// Finds companies of a version by their domains.
pub(crate) async fn list_companies(
    tx: &mut PgConnection,
    tenant: &TenantId,
    version: i32,
    domains: &[String],
) -> Result<HashMap<String, Company>, DbError> {
    let rows: Vec<(String, String, String)> = sqlx::query_as(
        "select domain, company, industry_code from gate_companies
         where tenant_id = $1 and version = $2 and domain = any ($3)",
    )
    .bind(tenant.as_str())
    .bind(version)
    .bind(domains)
    .fetch_all(tx)
    .await?;
    let company = |(domain, name, industry_code): (String, String, String)| {
        let company = Company {
            name,
            domain: domain.clone(),
            industry_code,
        };
        (domain, company)
    };
    Ok(rows.into_iter().map(company).collect())
}

/// Returns the latest visit of each of these visitors in a version.
pub(crate) async fn list_visits(
    tx: &mut PgConnection,
    tenant: &TenantId,
    version: i32,
    visitors: &[&str],
) -> Result<HashMap<String, (String, Timestamp)>, DbError> {
    let rows: Vec<(String, String, SqlTimestamp)> = sqlx::query_as(
        "select distinct on (visitor) visitor, competitor, visit_time from gate_visits
         where tenant_id = $1 and version = $2 and visitor = any ($3) order by visitor, visit_time desc",
    )
    .bind(tenant.as_str())
    .bind(version)
    .bind(visitors)
    .fetch_all(tx)
    .await?;
    let visit = |(visitor, competitor, time): (String, String, SqlTimestamp)| (visitor, (competitor, time.to_jiff()));
    Ok(rows.into_iter().map(visit).collect())
}
