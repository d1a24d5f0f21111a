//! Where leads and accounts stand in lists ordered by a calculated field.

use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

/// Greater than every key: no text has a character above U+10FFFF, and keys of numbers are digits.
const ABOVE_ALL: &str = "\u{10FFFF}\u{10FFFF}\u{10FFFF}";

/// A place in an ordered list, which is where a page ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// `None` for a blank, which comes after all others.
    pub(crate) sort_key: Option<String>,
    /// The id of a lead, or the account.
    pub(crate) record: String,
}

/// Which end of the values comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum Direction {
    Ascending,
    Descending,
}

/// Lists places after `after`. Equal values, and blanks, go by record: upwards or downwards, too.
pub(crate) async fn list(
    tx: &mut PgConnection,
    tenant: &TenantId,
    field_key: i64,
    direction: Direction,
    after: Option<&Place>,
    limit: i64,
) -> Result<Vec<Place>, DbError> {
    let mut places = Vec::new();
    if after.is_none_or(|after| after.sort_key.is_some()) {
        places = list_values(tx, tenant, field_key, direction, after, limit).await?;
    }
    let missing = limit - i64::try_from(places.len()).unwrap_or(limit);
    if missing > 0 {
        let after = after.filter(|after| after.sort_key.is_none());
        places.extend(list_blanks(tx, tenant, field_key, direction, after, missing).await?);
    }
    Ok(places)
}

async fn list_values(
    tx: &mut PgConnection,
    tenant: &TenantId,
    field_key: i64,
    direction: Direction,
    after: Option<&Place>,
    limit: i64,
) -> Result<Vec<Place>, DbError> {
    let (statement, outermost) = match direction {
        Direction::Ascending => (
            "select sort_key, record from calculated_keys
             where tenant_id = $1 and field_key = $2 and (sort_key, record) > ($3, $4)
             order by sort_key, record limit $5",
            "",
        ),
        Direction::Descending => (
            "select sort_key, record from calculated_keys
             where tenant_id = $1 and field_key = $2 and (sort_key, record) < ($3, $4)
             order by sort_key desc, record desc limit $5",
            ABOVE_ALL,
        ),
    };
    let rows: Vec<(String, String)> = sqlx::query_as(statement)
        .bind(tenant.as_str())
        .bind(field_key)
        .bind(after.and_then(|after| after.sort_key.as_deref()).unwrap_or(outermost))
        .bind(after.map_or("", |after| after.record.as_str()))
        .bind(limit)
        .fetch_all(tx)
        .await?;
    let place = |(sort_key, record)| Place {
        sort_key: Some(sort_key),
        record,
    };
    Ok(rows.into_iter().map(place).collect())
}

async fn list_blanks(
    tx: &mut PgConnection,
    tenant: &TenantId,
    field_key: i64,
    direction: Direction,
    after: Option<&Place>,
    limit: i64,
) -> Result<Vec<Place>, DbError> {
    let (statement, outermost) = match direction {
        Direction::Ascending => (
            "select record from calculated_keys
             where tenant_id = $1 and field_key = $2 and sort_key is null and record > $3 order by record limit $4",
            "",
        ),
        Direction::Descending => (
            "select record from calculated_keys
             where tenant_id = $1 and field_key = $2 and sort_key is null and record < $3 order by record desc limit $4",
            ABOVE_ALL,
        ),
    };
    let records: Vec<String> = sqlx::query_scalar(statement)
        .bind(tenant.as_str())
        .bind(field_key)
        .bind(after.map_or(outermost, |after| after.record.as_str()))
        .bind(limit)
        .fetch_all(tx)
        .await?;
    let place = |record| Place { sort_key: None, record };
    Ok(records.into_iter().map(place).collect())
}

/// Deletes up to `limit` keys of a field that is no more, and returns how many there were.
pub(crate) async fn delete(
    tx: &mut PgConnection,
    tenant: &TenantId,
    field_key: i64,
    limit: i64,
) -> Result<u64, DbError> {
    let deleted = sqlx::query(
        "delete from calculated_keys where tenant_id = $1 and field_key = $2 and record in
             (select record from calculated_keys where tenant_id = $1 and field_key = $2 order by record limit $3)",
    )
    .bind(tenant.as_str())
    .bind(field_key)
    .bind(limit)
    .execute(tx)
    .await?;
    Ok(deleted.rows_affected())
}
