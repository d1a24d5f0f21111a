//! Budget that is spent, shared by all replicas. Read and written under the lock of the channel's row.

use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx};
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::message::Class;

/// Reservations that count.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    /// How many.
    pub count: i64,
    /// When the first of them ends.
    pub first_release: Option<Timestamp>,
    /// When the last of them ends.
    pub last_release: Option<Timestamp>,
    /// When the last of those for escalations ends.
    pub last_escalation: Option<Timestamp>,
}

/// Forgets reservations that are over and returns what the others are.
///
/// # Errors
/// When the database fails.
pub async fn held(tx: &mut PgConnection, tenant: &TenantId, channel: &str, now: Timestamp) -> Result<Held, DbError> {
    type Row = (i64, Option<SqlTimestamp>, Option<SqlTimestamp>, Option<SqlTimestamp>);
    let (count, first, last, escalation): Row = sqlx::query_as(
        "with over as (
             delete from channel_reservations where tenant_id = $1 and channel = $2 and release_time <= $3
         )
         select count(*), min(release_time), max(release_time), max(release_time) filter (where is_escalation)
         from channel_reservations
         where tenant_id = $1 and channel = $2 and release_time > $3",
    )
    .bind(tenant.as_str())
    .bind(channel)
    .bind(now.to_sqlx())
    .fetch_one(tx)
    .await?;
    Ok(Held {
        count,
        first_release: first.map(SqlTimestamp::to_jiff),
        last_release: last.map(SqlTimestamp::to_jiff),
        last_escalation: escalation.map(SqlTimestamp::to_jiff),
    })
}

/// A message about to be sent.
#[derive(Debug, Clone, Copy)]
pub struct Reservation {
    /// Its id.
    pub id: Uuid,
    /// Until when it counts.
    pub release_time: Timestamp,
    /// How pressing the message is.
    pub class: Class,
}

/// Reserves one message.
///
/// # Errors
/// When the database fails.
pub async fn add(
    tx: &mut PgConnection,
    tenant: &TenantId,
    channel: &str,
    reservation: Reservation,
) -> Result<(), DbError> {
    sqlx::query(
        "insert into channel_reservations (tenant_id, channel, reservation, release_time, is_escalation)
         values ($1, $2, $3, $4, $5)",
    )
    .bind(tenant.as_str())
    .bind(channel)
    .bind(reservation.id)
    .bind(reservation.release_time.to_sqlx())
    .bind(reservation.class == Class::Escalation)
    .execute(tx)
    .await?;
    Ok(())
}

/// Says when a reservation ends, now that the provider has answered.
///
/// # Errors
/// When the database fails.
pub async fn settle(
    tx: &mut PgConnection,
    tenant: &TenantId,
    channel: &str,
    reservation: Uuid,
    release_time: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "insert into channel_reservations (tenant_id, channel, reservation, release_time) values ($1, $2, $3, $4)
         on conflict (tenant_id, channel, reservation) do update set release_time = excluded.release_time",
    )
    .bind(tenant.as_str())
    .bind(channel)
    .bind(reservation)
    .bind(release_time.to_sqlx())
    .execute(tx)
    .await?;
    Ok(())
}
