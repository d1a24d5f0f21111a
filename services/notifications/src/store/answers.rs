//! What people did with the links of messages.

use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx};
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use crate::domain::{action::Action, message::Class};

/// A message as far as its links go.
#[derive(Debug, Clone)]
pub struct Linked {
    /// The event that caused it.
    pub cause_event: Uuid,
    /// To whom.
    pub recipient: String,
    /// Their name, as people read it.
    pub recipient_display_name: String,
    /// Their language.
    pub locale: String,
    /// What it is about.
    pub subject: String,
    /// As rendered.
    pub title: String,
    /// Template and version.
    pub template: String,
    /// How pressing it is.
    pub class: Class,
    /// Fencing token of the ownership it tells of.
    pub fencing_token: Option<i64>,
    /// `erased` or `withdrawn`, once what it is about is gone.
    pub gone: Option<String>,
    /// When the action was done, by this message or another about the same event to the same person.
    pub answer_time: Option<Timestamp>,
}

#[derive(FromRow)]
struct Row {
    cause_event: Uuid,
    recipient: String,
    display_name: String,
    locale: String,
    subject: String,
    title: String,
    template: String,
    class: String,
    fencing_token: Option<i64>,
    gone: Option<String>,
    answer_time: Option<SqlTimestamp>,
}

/// Finds a message with what was done with one of its actions.
///
/// # Errors
/// When the database fails.
///
/// # Panics
/// Never: a check keeps other classes out.
pub async fn find_linked(
    tx: &mut PgConnection,
    tenant: &TenantId,
    message: Uuid,
    action: Action,
) -> Result<Option<Linked>, DbError> {
    let row: Option<Row> = sqlx::query_as(
        "select m.cause_event, m.recipient, coalesce(r.display_name, '') as display_name,
             coalesce(r.locale, '') as locale, m.subject, m.title, m.template, m.class, m.fencing_token, m.gone,
             a.create_time as answer_time
         from messages m
         left join recipients r on r.tenant_id = m.tenant_id and r.member = m.recipient
         left join message_answers a on a.tenant_id = m.tenant_id and a.cause_event = m.cause_event
             and a.recipient = m.recipient and a.action = $3
         where m.tenant_id = $1 and m.message = $2 and not m.is_digest",
    )
    .bind(tenant.as_str())
    .bind(message)
    .bind(action.as_str())
    .fetch_optional(tx)
    .await?;
    Ok(row.map(|row| Linked {
        cause_event: row.cause_event,
        recipient: row.recipient,
        recipient_display_name: row.display_name,
        locale: row.locale,
        subject: row.subject,
        title: row.title,
        template: row.template,
        class: Class::find(&row.class).expect("a check keeps other classes out"),
        fencing_token: row.fencing_token,
        gone: row.gone,
        answer_time: row.answer_time.map(SqlTimestamp::to_jiff),
    }))
}

/// Writes that an action was done, unless it was before; returns whether this was the first time. Another transaction that
/// writes the same is waited for.
///
/// # Errors
/// When the database fails.
pub async fn insert(
    tx: &mut PgConnection,
    tenant: &TenantId,
    message: Uuid,
    action: Action,
    now: Timestamp,
) -> Result<bool, DbError> {
    let inserted = sqlx::query(
        "insert into message_answers (tenant_id, cause_event, recipient, action, message, create_time)
         select tenant_id, cause_event, recipient, $3, message, $4 from messages where tenant_id = $1 and message = $2
         on conflict do nothing",
    )
    .bind(tenant.as_str())
    .bind(message)
    .bind(action.as_str())
    .bind(now.to_sqlx())
    .execute(tx)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// Marks the inbox item about the same event to the same person read; returns whether it had been read before.
///
/// # Errors
/// When the database fails.
pub async fn mark_read(
    tx: &mut PgConnection,
    tenant: &TenantId,
    cause_event: Uuid,
    recipient: &str,
    now: Timestamp,
) -> Result<bool, DbError> {
    Ok(sqlx::query_scalar(
        "with item as (
             select i.message, i.read_time from messages m join inbox_items i using (tenant_id, message)
             where m.tenant_id = $1 and m.cause_event = $2 and m.recipient = $3 and m.channel = 'inbox'
             for no key update of i
         ), marked as (
             update inbox_items i set read_time = $4 from item
             where i.tenant_id = $1 and i.message = item.message and item.read_time is null
         )
         select exists (select from item where read_time is not null)",
    )
    .bind(tenant.as_str())
    .bind(cause_event)
    .bind(recipient)
    .bind(now.to_sqlx())
    .fetch_one(tx)
    .await?)
}

/// Something somebody did by a link.
#[derive(Debug, Clone)]
pub struct Answer {
    /// What.
    pub action: Action,
    /// When.
    pub time: Timestamp,
    /// The message whose link it was.
    pub message: Uuid,
}

/// Lists what the recipient of a message did by its links, or by those of others about the same event, in order.
///
/// # Errors
/// When the database fails.
///
/// # Panics
/// Never: a check keeps other actions out.
pub async fn list(tx: &mut PgConnection, tenant: &TenantId, message: Uuid) -> Result<Vec<Answer>, DbError> {
    let rows: Vec<(String, SqlTimestamp, Uuid)> = sqlx::query_as(
        "select a.action, a.create_time, a.message from messages m
         join message_answers a using (tenant_id, cause_event, recipient)
         where m.tenant_id = $1 and m.message = $2 order by a.create_time, a.action",
    )
    .bind(tenant.as_str())
    .bind(message)
    .fetch_all(tx)
    .await?;
    let answers = rows.into_iter().map(|(action, time, message)| Answer {
        action: Action::find(&action).expect("a check keeps other actions out"),
        time: time.to_jiff(),
        message,
    });
    Ok(answers.collect())
}
