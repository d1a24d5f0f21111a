//! The ledger: written when an event is applied, read by people.

use std::collections::HashSet;

use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx};
use reflex_pg::DbError;
use reflex_templates::template::Facts;
use reflex_tenancy::TenantId;
use serde_json::Value;
use sqlx::{FromRow, PgConnection, types::Json};
use uuid::Uuid;

use crate::domain::message::{Class, INBOX, State};

/// A message to be written.
#[derive(Debug, Clone)]
pub struct NewMessage {
    /// Whose it is.
    pub tenant: TenantId,
    /// Its id.
    pub id: Uuid,
    /// The event that caused it.
    pub cause_event: Uuid,
    /// "members/{member}".
    pub recipient: String,
    /// "inbox" or "channels/{channel}".
    pub channel: String,
    /// How pressing it is.
    pub class: Class,
    /// What it is about.
    pub subject: String,
    /// Template and version.
    pub template: String,
    /// As rendered.
    pub title: String,
    /// As rendered.
    pub body: String,
    /// Pending, delivered (into the inbox) or stopped.
    pub state: State,
    /// Why it is stopped.
    pub reason: &'static str,
    /// Trace it belongs to.
    pub traceparent: Option<String>,
    /// Number of its inbox item, for a message to the inbox.
    pub inbox_sequence: Option<i64>,
    /// What its variables stand for, for a message to the inbox.
    pub facts: Option<Value>,
    /// Fencing token of the ownership it tells of.
    pub fencing_token: Option<i64>,
    /// Type of the event that caused it.
    pub cause_kind: String,
    /// Step of the ladder it tells of.
    pub ladder_step: Option<i32>,
}

/// Writes messages and the inbox items of those to the inbox, in one statement, and returns the ids of the items. A
/// message there already is left alone.
///
/// # Errors
/// When the database fails.
pub async fn insert(tx: &mut PgConnection, messages: &[NewMessage], now: Timestamp) -> Result<HashSet<Uuid>, DbError> {
    if messages.is_empty() {
        return Ok(HashSet::new());
    }
    let text = |of: fn(&NewMessage) -> &str| -> Vec<&str> { messages.iter().map(of).collect() };
    let made: Vec<Uuid> = sqlx::query_scalar(
        "with given as materialized (
             select * from unnest($1::text[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[],
                 $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::bigint[], $16::bigint[],
                 $17::text[], $18::integer[], $19::jsonb[])
                 as given (tenant_id, message, cause_event, recipient, channel, class, subject, template, title, body,
                     state, reason, traceparent, inbox_sequence, fencing_token, cause_kind, ladder_step, facts)
         ), made as (
             insert into messages (tenant_id, message, cause_event, recipient, channel, class, subject, template, title,
                 body, state, reason, traceparent, next_attempt_time, create_time, deliver_time, fencing_token,
                 cause_kind, ladder_step, facts)
             select tenant_id, message, cause_event, recipient, channel, class, subject, template, title, body, state,
                 reason, traceparent, $15, $15, case when state = 'delivered' then $15 end, fencing_token,
                 cause_kind, ladder_step, facts
             from given
             on conflict (tenant_id, cause_event, recipient, channel) do nothing
             returning message
         )
         insert into inbox_items (tenant_id, recipient, sequence, message, create_time)
         select tenant_id, recipient, inbox_sequence, message, $15 from given join made using (message)
         where inbox_sequence is not null
         returning message",
    )
    .bind(text(|message| message.tenant.as_str()))
    .bind(messages.iter().map(|message| message.id).collect::<Vec<_>>())
    .bind(messages.iter().map(|message| message.cause_event).collect::<Vec<_>>())
    .bind(text(|message| &message.recipient))
    .bind(text(|message| &message.channel))
    .bind(text(|message| message.class.as_str()))
    .bind(text(|message| &message.subject))
    .bind(text(|message| &message.template))
    .bind(text(|message| &message.title))
    .bind(text(|message| &message.body))
    .bind(text(|message| message.state.as_str()))
    .bind(text(|message| message.reason))
    .bind(
        messages
            .iter()
            .map(|message| message.traceparent.as_deref())
            .collect::<Vec<_>>(),
    )
    .bind(
        messages
            .iter()
            .map(|message| message.inbox_sequence)
            .collect::<Vec<_>>(),
    )
    .bind(now.to_sqlx())
    .bind(
        messages
            .iter()
            .map(|message| message.fencing_token)
            .collect::<Vec<_>>(),
    )
    .bind(text(|message| &message.cause_kind))
    .bind(
        messages
            .iter()
            .map(|message| message.ladder_step)
            .collect::<Vec<_>>(),
    )
    .bind(
        messages
            .iter()
            .map(|message| message.facts.as_ref())
            .collect::<Vec<_>>(),
    )
    .fetch_all(tx)
    .await?;
    Ok(made.into_iter().collect())
}

/// A message of the ledger.
#[derive(Debug, Clone)]
pub struct Message {
    /// Its id.
    pub id: Uuid,
    /// "members/{member}"; empty for a digest to many.
    pub recipient: String,
    /// Template and version.
    pub template: String,
    /// What it is about; empty for a digest.
    pub subject: String,
    /// The event that caused it; none for a digest.
    pub cause_event: Option<Uuid>,
    /// "inbox" or "channels/{channel}".
    pub channel: String,
    /// Where it stands.
    pub state: State,
    /// As rendered.
    pub title: String,
    /// As rendered.
    pub body: String,
    /// Why it was merged, stopped or given up.
    pub reason: String,
    /// When it was made.
    pub create_time: Timestamp,
    /// When it was delivered, by itself or by the digest that took its place.
    pub deliver_time: Option<Timestamp>,
    /// How pressing it is.
    pub class: Class,
    /// Type of the event that caused it; empty for a digest, and where it was not kept.
    pub cause_kind: String,
    /// Step of the ladder it tells of.
    pub ladder_step: Option<i32>,
}

#[derive(FromRow)]
struct Row {
    message: Uuid,
    recipient: String,
    template: String,
    subject: String,
    cause_event: Uuid,
    channel: String,
    state: String,
    title: String,
    body: String,
    reason: String,
    is_digest: bool,
    create_time: SqlTimestamp,
    deliver_time: Option<SqlTimestamp>,
    class: String,
    cause_kind: Option<String>,
    ladder_step: Option<i32>,
}

impl From<Row> for Message {
    fn from(row: Row) -> Self {
        Self {
            id: row.message,
            recipient: row.recipient,
            template: row.template,
            subject: row.subject,
            cause_event: (!row.is_digest).then_some(row.cause_event),
            channel: row.channel,
            state: State::find(&row.state).expect("a check keeps other states out"),
            title: row.title,
            body: row.body,
            reason: row.reason,
            create_time: row.create_time.to_jiff(),
            deliver_time: row.deliver_time.map(SqlTimestamp::to_jiff),
            class: Class::find(&row.class).expect("a check keeps other classes out"),
            cause_kind: row.cause_kind.unwrap_or_default(),
            ladder_step: row.ladder_step,
        }
    }
}

/// Which messages to list.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter<'a> {
    /// Only to this person.
    pub recipient: Option<&'a str>,
    /// Only about this subject.
    pub subject: Option<&'a str>,
    /// Only in this state.
    pub state: Option<State>,
    /// Only of this class.
    pub class: Option<Class>,
    /// Only by this channel.
    pub channel: Option<&'a str>,
    /// Only those made at this time or later.
    pub start: Option<Timestamp>,
    /// Only those made before this time.
    pub end: Option<Timestamp>,
}

/// Lists messages, newest first, those before `before`.
///
/// # Errors
/// When the database fails.
pub async fn list(
    tx: &mut PgConnection,
    tenant: &TenantId,
    filter: &Filter<'_>,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Message>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "select message, recipient, template, subject, cause_event, channel, state, title, body, reason, is_digest,
             create_time, deliver_time, class, cause_kind, ladder_step
         from messages
         where tenant_id = $1 and ($2::text is null or recipient = $2) and ($3::text is null or subject = $3)
             and ($4::text is null or state = $4) and ($5::uuid is null or message < $5)
             and ($7::text is null or class = $7) and ($8::text is null or channel = $8)
             and ($9::timestamptz is null or create_time >= $9) and ($10::timestamptz is null or create_time < $10)
         order by message desc limit $6",
    )
    .bind(tenant.as_str())
    .bind(filter.recipient)
    .bind(filter.subject)
    .bind(filter.state.map(State::as_str))
    .bind(before)
    .bind(limit)
    .bind(filter.class.map(Class::as_str))
    .bind(filter.channel)
    .bind(filter.start.map(ToSqlx::to_sqlx))
    .bind(filter.end.map(ToSqlx::to_sqlx))
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(Message::from).collect())
}

/// Finds a message.
///
/// # Errors
/// When the database fails.
pub async fn find(tx: &mut PgConnection, tenant: &TenantId, id: Uuid) -> Result<Option<Message>, DbError> {
    let row: Option<Row> = sqlx::query_as(
        "select message, recipient, template, subject, cause_event, channel, state, title, body, reason, is_digest,
             create_time, deliver_time, class, cause_kind, ladder_step
         from messages where tenant_id = $1 and message = $2",
    )
    .bind(tenant.as_str())
    .bind(id)
    .fetch_optional(tx)
    .await?;
    Ok(row.map(Message::from))
}

/// Returns what the variables of a message stood for; none for a message that is not there or whose facts are not kept.
///
/// # Errors
/// When the database fails.
pub async fn facts(tx: &mut PgConnection, tenant: &TenantId, id: Uuid) -> Result<Option<Facts>, DbError> {
    let facts: Option<Json<Facts>> = sqlx::query_scalar(
        "select kept.facts from messages asked join messages kept
             using (tenant_id, cause_event, recipient)
         where asked.tenant_id = $1 and asked.message = $2 and kept.channel = $3 and kept.facts is not null",
    )
    .bind(tenant.as_str())
    .bind(id)
    .bind(INBOX)
    .fetch_optional(tx)
    .await?;
    Ok(facts.map(|Json(facts)| facts))
}
