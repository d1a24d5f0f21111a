//! Imports of leads: how far each is, and how far its undoing is.

use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx};
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::known_leads::BatchKey;
use crate::domain::ids::{ImportId, MemberId};

/// Leads that are undone together: a batch is kept in parts of so many, as whoever works on leads waits for an undoing.
const PART: i32 = 500;

/// How far an import is.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(crate) struct Progress {
    /// Rows of the file that are done.
    pub(crate) row_count: i64,
    /// Of the settings and those rows.
    pub(crate) digest: Vec<u8>,
    pub(crate) stored_count: i64,
    pub(crate) existed_count: i64,
    pub(crate) updated_count: i64,
    pub(crate) conflict_count: i64,
    pub(crate) refused_count: i64,
    /// Whether the end of the file was reached.
    pub(crate) is_complete: bool,
    /// Whether it may not go on, as it was cancelled or undone.
    pub(crate) is_stopped: bool,
}

/// An import to be begun.
pub(crate) struct NewImport<'a> {
    pub(crate) import_id: Uuid,
    /// Of its settings.
    pub(crate) digest: &'a [u8],
    pub(crate) member: Option<&'a MemberId>,
    pub(crate) source: &'a str,
    pub(crate) now: Timestamp,
}

/// Begins an import, unless it was begun before; returns how far it is.
pub(crate) async fn begin(
    tx: &mut PgConnection,
    tenant: &TenantId,
    import: &NewImport<'_>,
) -> Result<Progress, DbError> {
    sqlx::query(
        "insert into lead_imports (tenant_id, import_id, row_count, digest, stored_count, existed_count, create_time,
             update_time, keeps_images, member, source)
         values ($1, $2, 0, $3, 0, 0, $4, $4, true, $5, $6)
         on conflict do nothing",
    )
    .bind(tenant.as_str())
    .bind(import.import_id)
    .bind(import.digest)
    .bind(import.now.to_sqlx())
    .bind(import.member.map(MemberId::id))
    .bind(import.source)
    .execute(&mut *tx)
    .await?;
    Ok(sqlx::query_as(
        "select row_count, digest, stored_count, existed_count, updated_count, conflict_count, refused_count,
             complete_time is not null as is_complete,
             cancel_time is not null or undo_time is not null as is_stopped
         from lead_imports where tenant_id = $1 and import_id = $2",
    )
    .bind(tenant.as_str())
    .bind(import.import_id)
    .fetch_one(tx)
    .await?)
}

/// A batch that was stored.
pub(crate) struct Advance<'a> {
    pub(crate) import_id: Uuid,
    pub(crate) before: &'a Progress,
    pub(crate) after: &'a Progress,
    /// Leads that are new.
    pub(crate) created: &'a [Uuid],
    /// Whether others were changed.
    pub(crate) has_updates: bool,
    pub(crate) now: Timestamp,
}

/// Moves an import on; returns whether it was where `before` says, and neither moved nor stopped by somebody else.
pub(crate) async fn advance(tx: &mut PgConnection, tenant: &TenantId, advance: &Advance<'_>) -> Result<bool, DbError> {
    let Advance { before, after, .. } = advance;
    let moved: i64 = sqlx::query_scalar(
        "with moved as (
             update lead_imports set row_count = $4, digest = $5, stored_count = $6, existed_count = $7, update_time = $8,
                 complete_time = case when $9 then $8 end, updated_count = $10, conflict_count = $11, refused_count = $12
             where tenant_id = $1 and import_id = $2 and row_count = $3 and complete_time is null
                 and cancel_time is null and undo_time is null
             returning 1
         ), kept as (
             insert into lead_import_batches (tenant_id, import_id, batch, created)
             select $1, $2, $4 - part, ($13::uuid[])[part * $15 + 1 : (part + 1) * $15] from moved
             cross join generate_series(0, greatest(cardinality($13) - 1, 0) / $15) as part
             where cardinality($13) > 0 or $14
         )
         select count(*) from moved",
    )
    .bind(tenant.as_str())
    .bind(advance.import_id)
    .bind(before.row_count)
    .bind(after.row_count)
    .bind(&after.digest)
    .bind(after.stored_count)
    .bind(after.existed_count)
    .bind(advance.now.to_sqlx())
    .bind(after.is_complete)
    .bind(after.updated_count)
    .bind(after.conflict_count)
    .bind(after.refused_count)
    .bind(advance.created)
    .bind(advance.has_updates)
    .bind(PART)
    .fetch_one(tx)
    .await?;
    Ok(moved == 1)
}

/// An import as stored.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct ImportRow {
    pub(crate) import_id: Uuid,
    pub(crate) row_count: i64,
    pub(crate) stored_count: i64,
    pub(crate) existed_count: i64,
    pub(crate) create_time: SqlTimestamp,
    pub(crate) update_time: SqlTimestamp,
    pub(crate) complete_time: Option<SqlTimestamp>,
    pub(crate) keeps_images: bool,
    pub(crate) member: Option<String>,
    pub(crate) source: String,
    pub(crate) updated_count: i64,
    pub(crate) conflict_count: i64,
    pub(crate) refused_count: i64,
    pub(crate) cancel_time: Option<SqlTimestamp>,
    pub(crate) undo_time: Option<SqlTimestamp>,
    pub(crate) undo_member: Option<String>,
    pub(crate) undo_cursor: Option<i64>,
    pub(crate) undone_time: Option<SqlTimestamp>,
    pub(crate) removed_count: i64,
    pub(crate) restored_count: i64,
    pub(crate) kept_count: i64,
}

/// The columns of [`ImportRow`], for `concat!` into a statement.
macro_rules! import_columns {
    () => {
        "import_id, row_count, stored_count, existed_count, create_time, update_time, complete_time, keeps_images, member,
         source, updated_count, conflict_count, refused_count, cancel_time, undo_time, undo_member, undo_cursor,
         undone_time, removed_count, restored_count, kept_count"
    };
}

/// Finds an import.
pub(crate) async fn find(
    tx: &mut PgConnection,
    tenant: &TenantId,
    import: ImportId,
) -> Result<Option<ImportRow>, DbError> {
    let found = sqlx::query_as(concat!(
        "select ",
        import_columns!(),
        " from lead_imports where tenant_id = $1 and import_id = $2"
    ))
    .bind(tenant.as_str())
    .bind(import.0)
    .fetch_optional(tx)
    .await?;
    Ok(found)
}

/// Finds an import and locks it.
pub(crate) async fn find_for_update(
    tx: &mut PgConnection,
    tenant: &TenantId,
    import: ImportId,
) -> Result<Option<ImportRow>, DbError> {
    let found = sqlx::query_as(concat!(
        "select ",
        import_columns!(),
        " from lead_imports where tenant_id = $1 and import_id = $2 for update"
    ))
    .bind(tenant.as_str())
    .bind(import.0)
    .fetch_optional(tx)
    .await?;
    Ok(found)
}

/// Lists imports, newest first, older than `before`.
pub(crate) async fn list(
    tx: &mut PgConnection,
    tenant: &TenantId,
    before: Option<(Timestamp, Uuid)>,
    limit: i64,
) -> Result<Vec<ImportRow>, DbError> {
    let rows = sqlx::query_as(concat!(
        "select ",
        import_columns!(),
        " from lead_imports where tenant_id = $1
              and ($2::timestamptz is null or (create_time, import_id) < ($2, $3))
          order by create_time desc, import_id desc limit $4"
    ))
    .bind(tenant.as_str())
    .bind(before.map(|(time, _)| time.to_sqlx()))
    .bind(before.map(|(_, import)| import))
    .bind(limit)
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

/// Keeps a locked import from going on.
pub(crate) async fn cancel(
    tx: &mut PgConnection,
    tenant: &TenantId,
    import: ImportId,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "update lead_imports set cancel_time = coalesce(cancel_time, $3), update_time = $3
         where tenant_id = $1 and import_id = $2",
    )
    .bind(tenant.as_str())
    .bind(import.0)
    .bind(now.to_sqlx())
    .execute(tx)
    .await?;
    Ok(())
}

/// Begins to undo a locked import, or to look once more at what was kept.
pub(crate) async fn begin_undo(
    tx: &mut PgConnection,
    tenant: &TenantId,
    import: ImportId,
    member: Option<&MemberId>,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "update lead_imports set undo_time = coalesce(undo_time, $3), undo_member = coalesce(undo_member, $4),
             undo_cursor = null, kept_count = 0, undone_time = null, update_time = $3
         where tenant_id = $1 and import_id = $2",
    )
    .bind(tenant.as_str())
    .bind(import.0)
    .bind(now.to_sqlx())
    .bind(member.map(MemberId::id))
    .execute(tx)
    .await?;
    Ok(())
}

/// The next batch to look at, and what is left behind it.
#[derive(Debug, FromRow)]
pub(crate) struct UndoBatch {
    pub(crate) batch: i64,
    pub(crate) created: Vec<Uuid>,
}

/// Finds the last batch before the cursor.
pub(crate) async fn find_batch(
    tx: &mut PgConnection,
    tenant: &TenantId,
    import: ImportId,
    cursor: Option<i64>,
) -> Result<Option<UndoBatch>, DbError> {
    let found = sqlx::query_as(
        "select batch, created from lead_import_batches
         where tenant_id = $1 and import_id = $2 and batch < coalesce($3, 9223372036854775807)
         order by batch desc limit 1",
    )
    .bind(tenant.as_str())
    .bind(import.0)
    .bind(cursor)
    .fetch_optional(tx)
    .await?;
    Ok(found)
}

/// What looking at a batch came to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct UndoCounts {
    pub(crate) removed: i64,
    pub(crate) restored: i64,
    pub(crate) kept: i64,
}

/// Moves an undoing on behind a batch, of which these leads were kept; the batch is forgotten when nothing is left of it.
pub(crate) async fn advance_undo(
    tx: &mut PgConnection,
    tenant: &TenantId,
    key: BatchKey,
    kept: Option<&[Uuid]>,
    counts: UndoCounts,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "with gone as (
             delete from lead_import_batches where tenant_id = $1 and import_id = $2 and batch = $3 and $4::uuid[] is null
         ), left_over as (
             update lead_import_batches set created = $4
             where tenant_id = $1 and import_id = $2 and batch = $3 and $4::uuid[] is not null
         )
         update lead_imports set undo_cursor = $3, removed_count = removed_count + $5,
             restored_count = restored_count + $6, kept_count = kept_count + $7, update_time = $8
         where tenant_id = $1 and import_id = $2",
    )
    .bind(tenant.as_str())
    .bind(key.import_id)
    .bind(key.batch)
    .bind(kept)
    .bind(counts.removed)
    .bind(counts.restored)
    .bind(counts.kept)
    .bind(now.to_sqlx())
    .execute(tx)
    .await?;
    Ok(())
}

/// Notes that an import is undone.
pub(crate) async fn end_undo(
    tx: &mut PgConnection,
    tenant: &TenantId,
    import: ImportId,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query("update lead_imports set undone_time = $3, update_time = $3 where tenant_id = $1 and import_id = $2")
        .bind(tenant.as_str())
        .bind(import.0)
        .bind(now.to_sqlx())
        .execute(tx)
        .await?;
    Ok(())
}

/// Returns an import that is known to be there.
pub(crate) async fn get(tx: &mut PgConnection, tenant: &TenantId, import: ImportId) -> Result<ImportRow, DbError> {
    Ok(sqlx::query_as(concat!(
        "select ",
        import_columns!(),
        " from lead_imports where tenant_id = $1 and import_id = $2"
    ))
    .bind(tenant.as_str())
    .bind(import.0)
    .fetch_one(tx)
    .await?)
}

/// Counts the leads and updates of an import that its undoing has not looked at.
pub(crate) async fn count_left(
    tx: &mut PgConnection,
    tenant: &TenantId,
    import: ImportId,
    cursor: Option<i64>,
) -> Result<i64, DbError> {
    let left = sqlx::query_scalar(
        "select (select coalesce(sum(cardinality(created)), 0) from lead_import_batches
             where tenant_id = $1 and import_id = $2 and batch < coalesce($3, 9223372036854775807))::bigint
         + (select count(*) from lead_import_updates
             where tenant_id = $1 and import_id = $2 and batch < coalesce($3, 9223372036854775807))",
    )
    .bind(tenant.as_str())
    .bind(import.0)
    .bind(cursor)
    .fetch_one(tx)
    .await?;
    Ok(left)
}
