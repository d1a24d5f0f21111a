//! Subscriptions of systems outside.

use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx};
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgConnection, PgPool};

use super::tenant;
use crate::domain::subscription::{State, health::Health};

/// Which events a subscription wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// Their types; none means all.
    pub event_types: Vec<String>,
    /// Condition over them; empty lets all pass.
    pub filter: String,
    /// Whether people's data goes along unmasked.
    pub personal_data: bool,
}

/// A subscription as stored.
#[derive(Debug, Clone)]
pub struct Subscription {
    /// "subscriptions/{subscription}".
    pub name: String,
    /// Encrypted address.
    pub endpoint: Vec<u8>,
    /// Address as it is shown.
    pub endpoint_shown: String,
    /// Encrypted secret.
    pub secret: Vec<u8>,
    /// The encrypted one before it, and until when it signs besides.
    pub former: Option<(Vec<u8>, Timestamp)>,
    /// Which events it wants.
    pub wish: Wish,
    /// Whether events go out.
    pub state: State,
    /// Why it is disabled.
    pub reason: String,
    /// How its endpoint does.
    pub health: Health,
    /// When it was made.
    pub create_time: Timestamp,
    /// When it was changed.
    pub update_time: Timestamp,
}

#[derive(FromRow)]
struct Row {
    subscription: String,
    endpoint: Vec<u8>,
    endpoint_shown: String,
    secret: Vec<u8>,
    former_secret: Option<Vec<u8>>,
    overlap_end_time: Option<SqlTimestamp>,
    event_types: Vec<String>,
    filter: String,
    personal_data: bool,
    state: String,
    reason: String,
    failures: i32,
    probe_time: Option<SqlTimestamp>,
    create_time: SqlTimestamp,
    update_time: SqlTimestamp,
}

impl From<Row> for Subscription {
    fn from(row: Row) -> Self {
        Self {
            name: row.subscription,
            endpoint: row.endpoint,
            endpoint_shown: row.endpoint_shown,
            secret: row.secret,
            former: row.former_secret.zip(row.overlap_end_time.map(SqlTimestamp::to_jiff)),
            wish: Wish {
                event_types: row.event_types,
                filter: row.filter,
                personal_data: row.personal_data,
            },
            state: State::find(&row.state).expect("a check keeps other states out"),
            reason: row.reason,
            health: Health {
                failures: row.failures,
                probe_time: row.probe_time.map(SqlTimestamp::to_jiff),
            },
            create_time: row.create_time.to_jiff(),
            update_time: row.update_time.to_jiff(),
        }
    }
}

/// Finds a subscription; `locked`, so that whoever changes it does so alone.
///
/// # Errors
/// When the database fails.
pub async fn find(
    tx: &mut PgConnection,
    tenant: &TenantId,
    name: &str,
    lock: Lock,
) -> Result<Option<Subscription>, DbError> {
    let statement = match lock {
        Lock::None => {
            "select subscription, endpoint, endpoint_shown, secret, former_secret, overlap_end_time, event_types, filter,
                 personal_data, state, reason, failures, probe_time, create_time, update_time
             from subscriptions where tenant_id = $1 and subscription = $2"
        }
        Lock::ForUpdate => {
            "select subscription, endpoint, endpoint_shown, secret, former_secret, overlap_end_time, event_types, filter,
                 personal_data, state, reason, failures, probe_time, create_time, update_time
             from subscriptions where tenant_id = $1 and subscription = $2 for no key update"
        }
    };
    let row: Option<Row> = sqlx::query_as(statement)
        .bind(tenant.as_str())
        .bind(name)
        .fetch_optional(tx)
        .await?;
    Ok(row.map(Subscription::from))
}

/// Whether a row that is read is locked.
#[derive(Debug, Clone, Copy)]
pub enum Lock {
    /// It is only shown.
    None,
    /// It will be changed.
    ForUpdate,
}

/// Writes a subscription; whoever sends sees that it changed.
///
/// # Errors
/// When the database fails.
pub async fn put(tx: &mut PgConnection, tenant: &TenantId, subscription: &Subscription) -> Result<(), DbError> {
    let (former, overlap_end) = subscription.former.clone().unzip();
    sqlx::query(
        "insert into subscriptions (tenant_id, subscription, endpoint, endpoint_shown, secret, former_secret, overlap_end_time,
             event_types, filter, personal_data, state, reason, failures, probe_time, create_time, update_time)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
         on conflict (tenant_id, subscription) do update set endpoint = excluded.endpoint,
             endpoint_shown = excluded.endpoint_shown, secret = excluded.secret, former_secret = excluded.former_secret,
             overlap_end_time = excluded.overlap_end_time, event_types = excluded.event_types, filter = excluded.filter,
             personal_data = excluded.personal_data, state = excluded.state, reason = excluded.reason,
             failures = excluded.failures, probe_time = excluded.probe_time, update_time = excluded.update_time,
             version = subscriptions.version + 1",
    )
    .bind(tenant.as_str())
    .bind(&subscription.name)
    .bind(&subscription.endpoint)
    .bind(&subscription.endpoint_shown)
    .bind(&subscription.secret)
    .bind(former)
    .bind(overlap_end.map(ToSqlx::to_sqlx))
    .bind(&subscription.wish.event_types)
    .bind(&subscription.wish.filter)
    .bind(subscription.wish.personal_data)
    .bind(subscription.state.as_str())
    .bind(&subscription.reason)
    .bind(subscription.health.failures)
    .bind(subscription.health.probe_time.map(ToSqlx::to_sqlx))
    .bind(subscription.create_time.to_sqlx())
    .bind(subscription.update_time.to_sqlx())
    .execute(tx)
    .await?;
    Ok(())
}

/// Lists subscriptions by name, from after `after` on.
///
/// # Errors
/// When the database fails.
pub async fn list(
    tx: &mut PgConnection,
    tenant: &TenantId,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<Subscription>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "select subscription, endpoint, endpoint_shown, secret, former_secret, overlap_end_time, event_types, filter,
             personal_data, state, reason, failures, probe_time, create_time, update_time
         from subscriptions where tenant_id = $1 and ($2::text is null or subscription > $2) order by subscription limit $3",
    )
    .bind(tenant.as_str())
    .bind(after)
    .bind(limit)
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(Subscription::from).collect())
}

/// Deletes a subscription with its deliveries, and what was kept for nobody else; returns whether it was there.
///
/// # Errors
/// When the database fails.
pub async fn delete(tx: &mut PgConnection, tenant: &TenantId, name: &str) -> Result<bool, DbError> {
    for statement in [
        "delete from delivery_attempts where tenant_id = $1 and subscription = $2",
        "delete from deliveries where tenant_id = $1 and subscription = $2",
    ] {
        sqlx::query(statement)
            .bind(tenant.as_str())
            .bind(name)
            .execute(&mut *tx)
            .await?;
    }
    let deleted = sqlx::query("delete from subscriptions where tenant_id = $1 and subscription = $2")
        .bind(tenant.as_str())
        .bind(name)
        .execute(&mut *tx)
        .await?;
    sqlx::query(
        "delete from subscription_events where tenant_id = $1
         and not exists (select from subscriptions s where s.tenant_id = $1)",
    )
    .bind(tenant.as_str())
    .execute(tx)
    .await?;
    Ok(deleted.rows_affected() > 0)
}

/// Lists what the subscriptions of all tenants want; run by the worker role.
///
/// # Errors
/// When the database fails.
pub async fn wishes(worker: &PgPool) -> Result<Vec<(TenantId, String, Wish)>, DbError> {
    #[derive(FromRow)]
    struct Wished {
        tenant_id: String,
        subscription: String,
        event_types: Vec<String>,
        filter: String,
        personal_data: bool,
    }
    let rows: Vec<Wished> = sqlx::query_as(
        "select tenant_id, subscription, event_types, filter, personal_data from subscriptions
         order by tenant_id, subscription",
    )
    .fetch_all(worker)
    .await?;
    let wished = |row: Wished| {
        let wish = Wish {
            event_types: row.event_types,
            filter: row.filter,
            personal_data: row.personal_data,
        };
        (tenant(&row.tenant_id), row.subscription, wish)
    };
    Ok(rows.into_iter().map(wished).collect())
}
