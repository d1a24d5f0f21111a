//! What may be sent in a month, and what is used of it. Shared by all replicas: the rows of the quotas are the lock.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgConnection};

use crate::domain::{
    channel::Kind,
    quota::{Monthly, Scope},
};

/// A quota with what is used of a month.
#[derive(Debug, Clone)]
pub struct Quota {
    /// "quotas/{quota}".
    pub name: String,
    /// What it counts.
    pub scope: Scope,
    /// What may be sent.
    pub monthly: Monthly,
    /// Who is told when it is nearly used up.
    pub administrators: Vec<String>,
    /// What is used.
    pub used: i64,
    /// The per cent somebody was told of.
    pub told_percent: i16,
}

#[derive(FromRow)]
struct Row {
    quota: String,
    channel: String,
    kind: String,
    messages_per_month: i32,
    reserved_for_escalations: i32,
    administrators: Vec<String>,
    used: i64,
    told_percent: i16,
}

impl From<Row> for Quota {
    fn from(row: Row) -> Self {
        let scope = match Kind::find(&row.kind) {
            Some(kind) => Scope::Kind(kind),
            None if row.channel.is_empty() => Scope::Every,
            None => Scope::Channel(row.channel),
        };
        Self {
            name: row.quota,
            scope,
            monthly: Monthly {
                messages: row.messages_per_month,
                reserved: row.reserved_for_escalations,
            },
            administrators: row.administrators,
            used: row.used,
            told_percent: row.told_percent,
        }
    }
}

fn columns(scope: &Scope) -> (&str, &'static str) {
    match scope {
        Scope::Channel(channel) => (channel, ""),
        Scope::Kind(kind) => ("", kind.as_str()),
        Scope::Every => ("", ""),
    }
}

/// Returns, locked, the quotas that count what a channel sends.
///
/// # Errors
/// When the database fails.
pub async fn of_channel(
    tx: &mut PgConnection,
    tenant: &TenantId,
    channel: &str,
    kind: Kind,
    month: &str,
) -> Result<Vec<Quota>, DbError> {
    // Locked first and read then: the count is what the last one who held the lock left.
    sqlx::query(
        "select from quotas
         where tenant_id = $1 and (channel = $2 or (channel = '' and kind in ('', $3)))
         order by quota for no key update",
    )
    .bind(tenant.as_str())
    .bind(channel)
    .bind(kind.as_str())
    .execute(&mut *tx)
    .await?;
    let rows: Vec<Row> = sqlx::query_as(
        "select q.quota, channel, kind, messages_per_month, reserved_for_escalations, administrators,
             coalesce(used, 0) as used, coalesce(told_percent, 0::smallint) as told_percent
         from quotas q left join quota_uses u on u.tenant_id = q.tenant_id and u.quota = q.quota and month = $4
         where q.tenant_id = $1 and (channel = $2 or (channel = '' and kind in ('', $3))) order by q.quota",
    )
    .bind(tenant.as_str())
    .bind(channel)
    .bind(kind.as_str())
    .bind(month)
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(Quota::from).collect())
}

/// Counts one message.
///
/// # Errors
/// When the database fails.
pub async fn count(tx: &mut PgConnection, tenant: &TenantId, quotas: &[String], month: &str) -> Result<(), DbError> {
    sqlx::query(
        "insert into quota_uses as u (tenant_id, quota, month, used)
         select $1, quota, $3, 1 from unnest($2::text[]) as quota order by quota
         on conflict (tenant_id, quota, month) do update set used = u.used + 1",
    )
    .bind(tenant.as_str())
    .bind(quotas)
    .bind(month)
    .execute(tx)
    .await?;
    Ok(())
}

/// Takes a count back: the provider surely has no message.
///
/// # Errors
/// When the database fails.
pub async fn give_back(
    tx: &mut PgConnection,
    tenant: &TenantId,
    quotas: &[String],
    month: &str,
) -> Result<(), DbError> {
    if quotas.is_empty() {
        return Ok(());
    }
    // In the order in which everybody locks them.
    sqlx::query("select from quotas where tenant_id = $1 and quota = any ($2) order by quota for no key update")
        .bind(tenant.as_str())
        .bind(quotas)
        .execute(&mut *tx)
        .await?;
    sqlx::query(
        "update quota_uses set used = used - 1 where tenant_id = $1 and quota = any ($2) and month = $3 and used > 0",
    )
    .bind(tenant.as_str())
    .bind(quotas)
    .bind(month)
    .execute(tx)
    .await?;
    Ok(())
}

/// Remembers what somebody was told of.
///
/// # Errors
/// When the database fails.
pub async fn set_told(
    tx: &mut PgConnection,
    tenant: &TenantId,
    quota: &str,
    month: &str,
    percent: i16,
) -> Result<(), DbError> {
    sqlx::query("update quota_uses set told_percent = $4 where tenant_id = $1 and quota = $2 and month = $3")
        .bind(tenant.as_str())
        .bind(quota)
        .bind(month)
        .bind(percent)
        .execute(tx)
        .await?;
    Ok(())
}

/// Writes a quota; what is used stays counted.
///
/// # Errors
/// When the database fails.
pub async fn put(tx: &mut PgConnection, tenant: &TenantId, quota: &Quota, now: Timestamp) -> Result<(), DbError> {
    let (channel, kind) = columns(&quota.scope);
    sqlx::query(
        "insert into quotas (tenant_id, quota, channel, kind, messages_per_month, reserved_for_escalations,
             administrators, create_time, update_time)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $8)
         on conflict (tenant_id, quota) do update set channel = excluded.channel, kind = excluded.kind,
             messages_per_month = excluded.messages_per_month,
             reserved_for_escalations = excluded.reserved_for_escalations, administrators = excluded.administrators,
             update_time = excluded.update_time",
    )
    .bind(tenant.as_str())
    .bind(&quota.name)
    .bind(channel)
    .bind(kind)
    .bind(quota.monthly.messages)
    .bind(quota.monthly.reserved)
    .bind(&quota.administrators)
    .bind(now.to_sqlx())
    .execute(tx)
    .await?;
    Ok(())
}

/// Removes a quota with what was counted.
///
/// # Errors
/// When the database fails.
pub async fn remove(tx: &mut PgConnection, tenant: &TenantId, name: &str) -> Result<(), DbError> {
    sqlx::query("delete from quotas where tenant_id = $1 and quota = $2")
        .bind(tenant.as_str())
        .bind(name)
        .execute(tx)
        .await?;
    Ok(())
}

/// Lists quotas by name, from after `after` on, with what is used of a month.
///
/// # Errors
/// When the database fails.
pub async fn list(
    tx: &mut PgConnection,
    tenant: &TenantId,
    month: &str,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<Quota>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "select q.quota, channel, kind, messages_per_month, reserved_for_escalations, administrators,
             coalesce(used, 0) as used, coalesce(told_percent, 0::smallint) as told_percent
         from quotas q left join quota_uses u on u.tenant_id = q.tenant_id and u.quota = q.quota and month = $2
         where q.tenant_id = $1 and ($3::text is null or q.quota > $3) order by q.quota limit $4",
    )
    .bind(tenant.as_str())
    .bind(month)
    .bind(after)
    .bind(limit)
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(Quota::from).collect())
}

/// Finds a quota with what is used of a month.
///
/// # Errors
/// When the database fails.
pub async fn find(tx: &mut PgConnection, tenant: &TenantId, name: &str, month: &str) -> Result<Option<Quota>, DbError> {
    let row: Option<Row> = sqlx::query_as(
        "select q.quota, channel, kind, messages_per_month, reserved_for_escalations, administrators,
             coalesce(used, 0) as used, coalesce(told_percent, 0::smallint) as told_percent
         from quotas q left join quota_uses u on u.tenant_id = q.tenant_id and u.quota = q.quota and month = $3
         where q.tenant_id = $1 and q.quota = $2",
    )
    .bind(tenant.as_str())
    .bind(name)
    .bind(month)
    .fetch_optional(tx)
    .await?;
    Ok(row.map(Quota::from))
}
