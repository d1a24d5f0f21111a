//! What waits to be sent, and taking it. Under the lock of the channel's row, but for [`waiting_channels`].

use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx};
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgConnection, PgPool};
use uuid::Uuid;

use crate::domain::{
    merge::{MAX_MERGED, Queue, Send, Waiting},
    message::Class,
};

/// How long an address that mail came back from is left alone.
const BOUNCE_KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A channel that has something to send.
#[derive(Debug, Clone)]
pub struct WaitingChannel {
    /// Whose it is.
    pub tenant: TenantId,
    /// "channels/{channel}".
    pub channel: String,
    /// Whether an escalation is among what waits.
    pub has_escalation: bool,
}

/// Lists the channels of all tenants that have something to send; run by the worker role. However much waits, each channel
/// costs two looks into an index.
///
/// # Errors
/// When the database fails.
pub async fn waiting_channels(worker: &PgPool, now: Timestamp) -> Result<Vec<WaitingChannel>, DbError> {
    let rows: Vec<(String, String, bool)> = sqlx::query_as(
        "select tenant_id, channel, has_escalation
         from channels c
         cross join lateral (select
             exists (select from messages m where m.tenant_id = c.tenant_id and m.channel = c.channel
                 and m.state = 'pending' and m.class = 'escalation' and m.next_attempt_time <= $1) as has_escalation,
             exists (select from messages m where m.tenant_id = c.tenant_id and m.channel = c.channel
                 and m.state = 'pending' and m.class = 'assignment' and m.next_attempt_time <= $1) as has_assignment
         ) as waiting
         where enabled and (has_escalation or has_assignment)",
    )
    .bind(now.to_sqlx())
    .fetch_all(worker)
    .await?;
    let channels = rows
        .into_iter()
        .map(|(tenant, channel, has_escalation)| WaitingChannel {
            tenant: super::tenant(&tenant),
            channel,
            has_escalation,
        });
    Ok(channels.collect())
}

/// Counts what waits for a channel.
///
/// # Errors
/// When the database fails.
pub async fn waiting(
    tx: &mut PgConnection,
    tenant: &TenantId,
    channel: &str,
    now: Timestamp,
) -> Result<Waiting, DbError> {
    let rows: Vec<(String, bool, i64)> = sqlx::query_as(
        "select class, is_digest, count(*) from messages
         where tenant_id = $1 and channel = $2 and state = 'pending' and next_attempt_time <= $3
         group by class, is_digest",
    )
    .bind(tenant.as_str())
    .bind(channel)
    .bind(now.to_sqlx())
    .fetch_all(tx)
    .await?;
    let queue = |class: Class| {
        let count = |digest| {
            let row = rows
                .iter()
                .find(|(of, is_digest, _)| of == class.as_str() && *is_digest == digest);
            row.map_or(0, |(_, _, count)| usize::try_from(*count).unwrap_or(0))
        };
        Queue {
            digests: count(true),
            singles: count(false),
        }
    };
    Ok(Waiting {
        escalations: queue(Class::Escalation),
        assignments: queue(Class::Assignment),
    })
}

/// A message about to be sent or merged.
#[derive(Debug, Clone, FromRow)]
pub struct Taken {
    /// Its id.
    pub message: Uuid,
    /// As rendered.
    pub title: String,
    /// As rendered.
    pub body: String,
    /// Template and version.
    pub template: String,
    /// What it is about; empty for a digest.
    pub subject: String,
    /// "members/{member}"; empty for a digest.
    pub recipient: String,
    /// When it was written.
    pub create_time: SqlTimestamp,
    /// Trace it belongs to.
    pub traceparent: Option<String>,
    /// Name of the person it is for.
    pub display_name: String,
    /// Their mobile number, to call them by.
    pub mobile: String,
    /// Their mail address.
    pub email: String,
    /// Whether mail to it came back lately.
    pub is_bounced: bool,
    /// Their language.
    pub locale: String,
}

/// Returns, locked, what `send` is about, oldest first: it is still pending here, whatever was before.
///
/// # Errors
/// When the database fails.
pub async fn take(
    tx: &mut PgConnection,
    tenant: &TenantId,
    channel: &str,
    send: Send,
    now: Timestamp,
) -> Result<Vec<Taken>, DbError> {
    let (class, is_digest, limit) = match send {
        Send::Digest(class) => (class, true, 1),
        Send::Single(class) => (class, false, 1),
        Send::Merged(class) => (class, false, MAX_MERGED),
    };
    Ok(sqlx::query_as(
        "select m.message, m.title, m.body, m.template, m.subject, m.recipient, m.create_time, m.traceparent,
             coalesce(r.display_name, '') as display_name, coalesce(r.mobile, '') as mobile,
             coalesce(r.locale, '') as locale, coalesce(r.email, '') as email,
             coalesce(r.email <> '' and r.email = r.bounced_email and r.bounce_time > $7, false) as is_bounced
         from messages m left join recipients r on r.tenant_id = m.tenant_id and r.member = m.recipient
         where m.tenant_id = $1 and m.channel = $2 and m.class = $3 and m.is_digest = $4 and m.state = 'pending'
             and m.next_attempt_time <= $5
         order by m.message limit $6 for no key update of m",
    )
    .bind(tenant.as_str())
    .bind(channel)
    .bind(class.as_str())
    .bind(is_digest)
    .bind(now.to_sqlx())
    .bind(limit)
    .bind((now - BOUNCE_KEPT).to_sqlx())
    .fetch_all(tx)
    .await?)
}

/// Marks a message as being sent until `until`; nobody else takes it before.
///
/// # Errors
/// When the database fails.
pub async fn hold(tx: &mut PgConnection, tenant: &TenantId, message: Uuid, until: Timestamp) -> Result<(), DbError> {
    sqlx::query(
        "update messages set next_attempt_time = $3 where tenant_id = $1 and message = $2 and state = 'pending'",
    )
    .bind(tenant.as_str())
    .bind(message)
    .bind(until.to_sqlx())
    .execute(tx)
    .await?;
    Ok(())
}

/// A digest to be written.
#[derive(Debug)]
pub struct NewDigest<'a> {
    /// Its id.
    pub id: Uuid,
    /// "channels/{channel}".
    pub channel: &'a str,
    /// Class of all its messages.
    pub class: Class,
    /// Template and version.
    pub template: &'a str,
    /// As rendered.
    pub title: &'a str,
    /// As rendered.
    pub body: &'a str,
    /// Trace of the oldest message in it.
    pub traceparent: Option<&'a str>,
    /// Until when nobody else takes it.
    pub held_until: Timestamp,
}

/// Writes a digest and merges messages into it.
///
/// # Errors
/// When the database fails.
pub async fn merge(
    tx: &mut PgConnection,
    tenant: &TenantId,
    digest: &NewDigest<'_>,
    messages: &[Uuid],
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "with digest as (
             insert into messages (tenant_id, message, cause_event, recipient, channel, class, subject, template, title,
                 body, state, reason, is_digest, traceparent, next_attempt_time, create_time)
             values ($1, $2, $2, '', $3, $4, '', $5, $6, $7, 'pending', '', true, $8, $9, $10)
         )
         update messages set state = 'merged', merged_into = $2, reason = $11
         where tenant_id = $1 and message = any ($12) and state = 'pending'",
    )
    .bind(tenant.as_str())
    .bind(digest.id)
    .bind(digest.channel)
    .bind(digest.class.as_str())
    .bind(digest.template)
    .bind(digest.title)
    .bind(digest.body)
    .bind(digest.traceparent)
    .bind(digest.held_until.to_sqlx())
    .bind(now.to_sqlx())
    .bind(format!("merged into messages/{}", digest.id))
    .bind(messages)
    .execute(tx)
    .await?;
    Ok(())
}

/// Returns the mobile numbers of those whose messages a digest holds.
///
/// # Errors
/// When the database fails.
pub async fn mobiles_of_digest(tx: &mut PgConnection, tenant: &TenantId, digest: Uuid) -> Result<Vec<String>, DbError> {
    Ok(sqlx::query_scalar(
        "select distinct r.mobile from messages m
         join recipients r on r.tenant_id = m.tenant_id and r.member = m.recipient
         where m.tenant_id = $1 and m.merged_into = $2 and r.mobile <> '' order by r.mobile",
    )
    .bind(tenant.as_str())
    .bind(digest)
    .fetch_all(tx)
    .await?)
}
