//! What happened to leads, read from the outbox in an order in which nothing is missed.
//!
//! Facts get their ids before they are committed, so one with a lower id may become visible after one with a higher id, and
//! whoever remembers the highest id seen misses it. Facts also have the transaction that wrote them, and PostgreSQL knows
//! the oldest transaction that still runs: the horizon. Every transaction before it has ended, so the facts of those are all
//! there, and no others will ever come to be among them. Read below the horizon in order of transaction and id, whatever
//! lies before a place is complete. What is committed appears once the transactions that began to write before it have
//! ended, which is within milliseconds, as nothing here waits within a transaction.

use jiff_sqlx::Timestamp as SqlTimestamp;
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::leads::{LeadRow, lead_columns};

/// A place in the order of facts: after a fact, or after all of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Place {
    transaction: i64,
    id: i64,
}

impl Place {
    /// Returns the place after everything before a transaction.
    pub(crate) fn before(transaction: i64) -> Self {
        Self {
            transaction: transaction - 1,
            id: i64::MAX,
        }
    }

    /// Tells whether a horizon has come this far; it has for every place of the same database.
    pub(crate) fn is_below(self, horizon: i64) -> bool {
        self.transaction < horizon
    }
}

/// A fact as stored.
#[derive(Debug, FromRow)]
pub(crate) struct FactRow {
    /// Which of the reads asked for found it, from 1.
    pub(crate) read: i64,
    transaction: i64,
    id: i64,
    pub(crate) kind: String,
    pub(crate) subject: String,
    pub(crate) time: SqlTimestamp,
    pub(crate) data: Vec<u8>,
}

impl FactRow {
    /// Returns where it stands.
    pub(crate) fn place(&self) -> Place {
        Place {
            transaction: self.transaction,
            id: self.id,
        }
    }
}

/// Returns the oldest transaction that still runs.
pub(crate) async fn horizon(tx: &mut PgConnection) -> Result<i64, DbError> {
    let horizon = sqlx::query_scalar("select pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        .fetch_one(tx)
        .await?;
    Ok(horizon)
}

/// Lists the facts of each tenant after its place and below the horizon, at most `limit` of each, in order.
pub(crate) async fn list(
    tx: &mut PgConnection,
    reads: &[(TenantId, Place)],
    horizon: i64,
    limit: i64,
) -> Result<Vec<FactRow>, DbError> {
    let rows = sqlx::query_as(
        "select r.read, o.transaction_id::text::bigint as transaction, o.id, o.kind, o.subject, o.time, o.data
         from unnest($1::text[], $2::bigint[], $3::bigint[]) with ordinality as r (tenant_id, transaction_id, id, read)
         cross join lateral (
             select * from outbox f where f.tenant_id = r.tenant_id
                 and (f.transaction_id, f.id) > (r.transaction_id::text::xid8, r.id)
                 and f.transaction_id < $4::bigint::text::xid8
             order by f.transaction_id, f.id limit $5
         ) o
         order by r.read, o.transaction_id, o.id",
    )
    .bind(reads.iter().map(|(tenant, _)| tenant.as_str()).collect::<Vec<_>>())
    .bind(reads.iter().map(|(_, place)| place.transaction).collect::<Vec<_>>())
    .bind(reads.iter().map(|(_, place)| place.id).collect::<Vec<_>>())
    .bind(horizon)
    .bind(limit)
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

/// Lists leads of several tenants as they are now.
pub(crate) async fn list_leads(tx: &mut PgConnection, leads: &[(&TenantId, Uuid)]) -> Result<Vec<LeadRow>, DbError> {
    let rows = sqlx::query_as(concat!(
        "select ",
        lead_columns!(),
        " from leads join unnest($1::text[], $2::uuid[]) as wanted (tenant_id, lead_id) using (tenant_id, lead_id)"
    ))
    .bind(leads.iter().map(|(tenant, _)| tenant.as_str()).collect::<Vec<_>>())
    .bind(leads.iter().map(|(_, lead)| *lead).collect::<Vec<_>>())
    .fetch_all(tx)
    .await?;
    Ok(rows)
}
