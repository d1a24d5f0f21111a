//! Erases what was said about subjects whose people asked for it.

use reflex_pg::DbError;
use sqlx::PgConnection;

use super::stops::{Subject, columns};

/// Why an erased message was not sent.
const REASON: &str = "erased";

/// Blanks the messages about subjects, and the digests that took the place of some; what waits to be sent is stopped, and what
/// could not be applied is dropped. That there was a message stays on record.
///
/// # Errors
/// When the database fails.
pub async fn erase(tx: &mut PgConnection, subjects: &[Subject]) -> Result<(), DbError> {
    if subjects.is_empty() {
        return Ok(());
    }
    let (tenants, names) = columns(subjects);
    sqlx::query(
        "with erased as (
             select * from unnest($1::text[], $2::text[]) as erased (tenant_id, subject)
         ), said as (
             select m.tenant_id, m.message, m.merged_into from messages m join erased using (tenant_id, subject)
         ), every as (
             select tenant_id, message from said
             union
             select tenant_id, merged_into from said where merged_into is not null
         ), dropped as (
             delete from dead_letters d using erased e where d.tenant_id = e.tenant_id and d.subject = e.subject
         )
         update messages m set title = '', body = '', facts = null, gone = 'erased',
             reason = case when m.state = 'pending' then $3 else m.reason end,
             state = case when m.state = 'pending' then 'stopped' else m.state end
         from every e where m.tenant_id = e.tenant_id and m.message = e.message",
    )
    .bind(tenants)
    .bind(names)
    .bind(REASON)
    .execute(tx)
    .await?;
    Ok(())
}
