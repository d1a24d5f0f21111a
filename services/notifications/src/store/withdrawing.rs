//! Drops what is open about subjects that are gone.

use reflex_pg::DbError;
use sqlx::PgConnection;

use super::stops::{Subject, columns};

/// Why a message about a subject that is gone was not sent.
const REASON: &str = "what it is about was withdrawn";

/// Stops the messages about subjects that wait to be sent, takes them out of inboxes, and drops what could not be applied.
/// What was sent stays on record, and says that what it is about is gone.
///
/// # Errors
/// When the database fails.
pub async fn withdraw(tx: &mut PgConnection, subjects: &[Subject]) -> Result<(), DbError> {
    if subjects.is_empty() {
        return Ok(());
    }
    let (tenants, names) = columns(subjects);
    sqlx::query(
        "with gone as (
             select * from unnest($1::text[], $2::text[]) as gone (tenant_id, subject)
         ), taken as (
             delete from inbox_items i using messages m join gone using (tenant_id, subject)
             where i.tenant_id = m.tenant_id and i.message = m.message
         ), dropped as (
             delete from dead_letters d using gone g where d.tenant_id = g.tenant_id and d.subject = g.subject
         )
         update messages m set gone = coalesce(m.gone, 'withdrawn'),
             reason = case when m.state = 'pending' then $3 else m.reason end,
             state = case when m.state = 'pending' then 'stopped' else m.state end
         from gone g where m.tenant_id = g.tenant_id and m.subject = g.subject",
    )
    .bind(tenants)
    .bind(names)
    .bind(REASON)
    .execute(tx)
    .await?;
    Ok(())
}
