//! Rows of gate policies.

use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx};
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgConnection, types::Json};

use crate::domain::gate::{Gate, GateSpec};

/// A policy as stored.
#[derive(Debug, Clone)]
pub(crate) struct StoredGate {
    pub(crate) gate: Gate,
    pub(crate) update_time: Timestamp,
}

#[derive(FromRow)]
struct Row {
    version: i32,
    definition: Json<GateSpec>,
    update_time: SqlTimestamp,
}

/// Finds a tenant's policy.
pub(crate) async fn find(tx: &mut PgConnection, tenant: &TenantId) -> Result<Option<StoredGate>, DbError> {
    let row: Option<Row> =
        sqlx::query_as("select version, definition, update_time from gate_policies where tenant_id = $1")
            .bind(tenant.as_str())
            .fetch_optional(tx)
            .await?;
    Ok(row.map(|row| StoredGate {
        gate: Gate {
            version: row.version,
            spec: row.definition.0,
        },
        update_time: row.update_time.to_jiff(),
    }))
}

/// Writes a tenant's policy as its next version.
pub(crate) async fn put(
    tx: &mut PgConnection,
    tenant: &TenantId,
    spec: &GateSpec,
    now: Timestamp,
) -> Result<StoredGate, DbError> {
    let version = sqlx::query_scalar(
        "insert into gate_policies as g (tenant_id, version, definition, update_time) values ($1, 1, $2, $3)
         on conflict (tenant_id) do update
             set version = g.version + 1, definition = excluded.definition, update_time = excluded.update_time
         returning version",
    )
    .bind(tenant.as_str())
    .bind(Json(spec))
    .bind(now.to_sqlx())
    .fetch_one(tx)
    .await?;
    Ok(StoredGate {
        gate: Gate {
            version,
            spec: spec.clone(),
        },
        update_time: now,
    })
}
