//! Rows of working calendars and of imported holidays.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use reflex_calendar::StatutoryTable;
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::{PgConnection, types::Json};

use crate::domain::ids::CalendarId;

/// Lists calendars, id and file, by id, `limit` of them after `after`; all without a limit.
pub(crate) async fn list(
    tx: &mut PgConnection,
    tenant: &TenantId,
    after: Option<&str>,
    limit: Option<i64>,
) -> Result<Vec<(CalendarId, String)>, DbError> {
    let rows = sqlx::query_as(
        "select calendar_id, spec from calendars
         where tenant_id = $1 and calendar_id > coalesce($2, '') order by calendar_id limit $3",
    )
    .bind(tenant.as_str())
    .bind(after)
    .bind(limit)
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

/// Writes a calendar, whether it exists or not, and returns whether that changed anything.
pub(crate) async fn put(
    tx: &mut PgConnection,
    tenant: &TenantId,
    calendar: &CalendarId,
    spec: &str,
    now: Timestamp,
) -> Result<bool, DbError> {
    let written = sqlx::query(
        "insert into calendars as c (tenant_id, calendar_id, spec, create_time, update_time)
         values ($1, $2, $3, $4, $4)
         on conflict (tenant_id, calendar_id) do update set spec = excluded.spec, update_time = excluded.update_time
             where c.spec <> excluded.spec",
    )
    .bind(tenant.as_str())
    .bind(calendar.id())
    .bind(spec)
    .bind(now.to_sqlx())
    .execute(tx)
    .await?;
    Ok(written.rows_affected() > 0)
}

/// Lists the tables a tenant imported, one a region.
pub(crate) async fn list_holidays(tx: &mut PgConnection, tenant: &TenantId) -> Result<Vec<StatutoryTable>, DbError> {
    let tables: Vec<Json<StatutoryTable>> =
        sqlx::query_scalar("select holidays from holiday_tables where tenant_id = $1 order by region")
            .bind(tenant.as_str())
            .fetch_all(tx)
            .await?;
    Ok(tables.into_iter().map(|Json(table)| table).collect())
}

/// Writes the table of a region, whether there is one or not.
pub(crate) async fn put_holidays(
    tx: &mut PgConnection,
    tenant: &TenantId,
    table: &StatutoryTable,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "insert into holiday_tables (tenant_id, region, holidays, create_time, update_time)
         values ($1, $2, $3, $4, $4)
         on conflict (tenant_id, region) do update
             set holidays = excluded.holidays, update_time = excluded.update_time",
    )
    .bind(tenant.as_str())
    .bind(table.region())
    .bind(Json(table))
    .bind(now.to_sqlx())
    .execute(tx)
    .await?;
    Ok(())
}
