//! Retries of writes: the answer of a `request_id` is stored in the transaction of its effect.

use reflex_tenancy::TenantId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::DbError;

/// What makes two calls the same call.
#[derive(Debug, Clone, Copy)]
pub struct RequestKey {
    /// Full method path.
    pub method: &'static str,
    /// The caller's id of the request.
    pub request_id: Uuid,
    /// Hash of the request without its id.
    pub payload_hash: [u8; 32],
}

/// Whether a request is new.
#[derive(Debug, PartialEq, Eq)]
pub enum Claimed {
    /// Do the work, then store the answer with [`answer`].
    New,
    /// It was done before; this is its encoded answer.
    Answered(Vec<u8>),
}

/// A request could not be claimed.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// The id was used with another payload.
    #[error("the request id was used with another payload")]
    Reused,
    /// The database failed.
    #[error("the request id could not be claimed")]
    Database(#[from] DbError),
}

/// Claims a request id for this transaction. A second transaction with the same id waits here until the first ends,
/// then gets its answer, so concurrent retries are as safe as later ones.
///
/// # Errors
/// [`ClaimError::Reused`] for the same id with another payload.
pub async fn claim(tx: &mut PgConnection, tenant: &TenantId, key: &RequestKey) -> Result<Claimed, ClaimError> {
    let inserted = sqlx::query(
        "insert into request_ids (tenant_id, method, request_id, payload_hash) values ($1, $2, $3, $4)
         on conflict do nothing",
    )
    .bind(tenant.as_str())
    .bind(key.method)
    .bind(key.request_id)
    .bind(key.payload_hash.as_slice())
    .execute(&mut *tx)
    .await
    .map_err(DbError::from)?;
    if inserted.rows_affected() == 1 {
        return Ok(Claimed::New);
    }
    let (hash, response): (Vec<u8>, Option<Vec<u8>>) = sqlx::query_as(
        "select payload_hash, response from request_ids where tenant_id = $1 and method = $2 and request_id = $3",
    )
    .bind(tenant.as_str())
    .bind(key.method)
    .bind(key.request_id)
    .fetch_one(tx)
    .await
    .map_err(DbError::from)?;
    if hash != key.payload_hash {
        return Err(ClaimError::Reused);
    }
    Ok(Claimed::Answered(response.unwrap_or_default()))
}

/// Stores the encoded answer of a claimed request.
///
/// # Errors
/// When the database fails.
pub async fn answer(
    tx: &mut PgConnection,
    tenant: &TenantId,
    key: &RequestKey,
    response: &[u8],
) -> Result<(), DbError> {
    sqlx::query("update request_ids set response = $4 where tenant_id = $1 and method = $2 and request_id = $3")
        .bind(tenant.as_str())
        .bind(key.method)
        .bind(key.request_id)
        .bind(response)
        .execute(tx)
        .await?;
    Ok(())
}

/// Deletes answers older than `days`; run by the worker role.
///
/// # Errors
/// When the database fails.
pub async fn forget_older_than(worker: &sqlx::PgPool, days: i32) -> Result<u64, DbError> {
    let deleted = sqlx::query("delete from request_ids where create_time < now() - make_interval(days => $1)")
        .bind(days)
        .execute(worker)
        .await?;
    Ok(deleted.rows_affected())
}
