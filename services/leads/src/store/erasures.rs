//! Certificates of erasure: what stays when somebody's data are gone.

use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx};
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgConnection, types::Json};
use uuid::Uuid;

use super::privacy::Counts;
use crate::domain::ids::{ErasureId, MemberId};

/// A certificate as stored.
#[derive(Debug, FromRow)]
pub(crate) struct ErasureRow {
    pub(crate) erasure_id: Uuid,
    pub(crate) identifier_hash: Vec<u8>,
    pub(crate) counts: Json<Counts>,
    pub(crate) member: Option<String>,
    pub(crate) erase_time: SqlTimestamp,
}

/// Returns the hash of an identifier with the tenant's salt.
pub(crate) async fn hash(tx: &mut PgConnection, tenant: &TenantId, identifier: &str) -> Result<Vec<u8>, DbError> {
    sqlx::query("insert into erasure_salts (tenant_id) values ($1) on conflict do nothing")
        .bind(tenant.as_str())
        .execute(&mut *tx)
        .await?;
    let hash = sqlx::query_scalar(
        "select sha256(convert_to(salt::text || $2, 'UTF8')) from erasure_salts where tenant_id = $1",
    )
    .bind(tenant.as_str())
    .bind(identifier)
    .fetch_one(tx)
    .await?;
    Ok(hash)
}

/// Writes a certificate.
pub(crate) async fn insert(
    tx: &mut PgConnection,
    tenant: &TenantId,
    erasure: ErasureId,
    hash: &[u8],
    counts: &Counts,
    (member, now): (Option<&MemberId>, Timestamp),
) -> Result<(), DbError> {
    sqlx::query(
        "insert into erasures (tenant_id, erasure_id, identifier_hash, counts, member, erase_time)
         values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(tenant.as_str())
    .bind(erasure.0)
    .bind(hash)
    .bind(Json(counts))
    .bind(member.map(MemberId::id))
    .bind(now.to_sqlx())
    .execute(tx)
    .await?;
    Ok(())
}

/// Finds the last certificate of an identifier.
pub(crate) async fn find_last(
    tx: &mut PgConnection,
    tenant: &TenantId,
    hash: &[u8],
) -> Result<Option<ErasureRow>, DbError> {
    let found = sqlx::query_as(
        "select erasure_id, identifier_hash, counts, member, erase_time from erasures
         where tenant_id = $1 and identifier_hash = $2 order by erasure_id desc limit 1",
    )
    .bind(tenant.as_str())
    .bind(hash)
    .fetch_optional(tx)
    .await?;
    Ok(found)
}

/// Finds a certificate.
pub(crate) async fn find(
    tx: &mut PgConnection,
    tenant: &TenantId,
    erasure: ErasureId,
) -> Result<Option<ErasureRow>, DbError> {
    let found = sqlx::query_as(
        "select erasure_id, identifier_hash, counts, member, erase_time from erasures
         where tenant_id = $1 and erasure_id = $2",
    )
    .bind(tenant.as_str())
    .bind(erasure.0)
    .fetch_optional(tx)
    .await?;
    Ok(found)
}
