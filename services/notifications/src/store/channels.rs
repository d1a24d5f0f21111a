//! Configured channels: what they are, and how they do.

use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx};
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgConnection};

use crate::domain::{account::Account, budget::Limits, channel::Kind};

/// A channel as stored.
#[derive(Debug, Clone)]
pub struct Channel {
    /// "channels/{channel}".
    pub name: String,
    /// What its messages go to.
    pub kind: Kind,
    /// Encrypted address.
    pub endpoint: Vec<u8>,
    /// Address without its token.
    pub endpoint_shown: String,
    /// Encrypted signing secret.
    pub secret: Option<Vec<u8>>,
    /// As whom to sign in.
    pub account: Account,
    /// Teams it serves; empty serves everybody.
    pub teams: Vec<String>,
    /// What it may send.
    pub limits: Limits,
    /// Whether it is used.
    pub enabled: bool,
    /// Until when the provider refuses everything.
    pub locked_until: Option<Timestamp>,
    /// Failed attempts in a row.
    pub failures: i32,
    /// When the next attempt may be made while attempts keep failing.
    pub probe_time: Option<Timestamp>,
    /// Whether a quota counts what it sends.
    pub has_quota: bool,
}

#[derive(FromRow)]
struct Row {
    channel: String,
    kind: String,
    endpoint: Vec<u8>,
    endpoint_shown: String,
    secret: Option<Vec<u8>>,
    account: String,
    sender: String,
    template: String,
    teams: Vec<String>,
    messages_per_minute: i32,
    reserved_for_escalations: i32,
    enabled: bool,
    locked_until: Option<SqlTimestamp>,
    failures: i32,
    probe_time: Option<SqlTimestamp>,
    has_quota: bool,
}

impl From<Row> for Channel {
    fn from(row: Row) -> Self {
        Self {
            name: row.channel,
            kind: Kind::find(&row.kind).expect("a check keeps other kinds out"),
            endpoint: row.endpoint,
            endpoint_shown: row.endpoint_shown,
            secret: row.secret,
            account: Account {
                user: row.account,
                sender: row.sender,
                template: row.template,
            },
            teams: row.teams,
            limits: Limits {
                per_minute: row.messages_per_minute,
                reserved: row.reserved_for_escalations,
            },
            enabled: row.enabled,
            locked_until: row.locked_until.map(SqlTimestamp::to_jiff),
            failures: row.failures,
            probe_time: row.probe_time.map(SqlTimestamp::to_jiff),
            has_quota: row.has_quota,
        }
    }
}

/// Finds a channel and locks it: whoever decides what it sends, or changes it, does so alone.
///
/// # Errors
/// When the database fails.
pub async fn find_for_update(tx: &mut PgConnection, tenant: &TenantId, name: &str) -> Result<Option<Channel>, DbError> {
    let row: Option<Row> = sqlx::query_as(
        "select channel, kind, endpoint, endpoint_shown, secret, account, sender, template, teams, messages_per_minute,
             reserved_for_escalations, enabled, locked_until, failures, probe_time,
             exists (select from quotas q where q.tenant_id = c.tenant_id
                 and (q.channel = c.channel or (q.channel = '' and q.kind in ('', c.kind)))) as has_quota
         from channels c where tenant_id = $1 and channel = $2 for no key update",
    )
    .bind(tenant.as_str())
    .bind(name)
    .fetch_optional(tx)
    .await?;
    Ok(row.map(Channel::from))
}

/// Writes a channel, whose kind never changes. Its health starts anew: whoever changes a channel has probably repaired it.
///
/// # Errors
/// When the database fails.
pub async fn put(tx: &mut PgConnection, tenant: &TenantId, channel: &Channel, now: Timestamp) -> Result<(), DbError> {
    sqlx::query(
        "insert into channels (tenant_id, channel, kind, endpoint, endpoint_shown, secret, teams, messages_per_minute,
             reserved_for_escalations, enabled, create_time, update_time, account, sender, template)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, $12, $13, $14)
         on conflict (tenant_id, channel) do update set endpoint = excluded.endpoint,
             endpoint_shown = excluded.endpoint_shown, secret = excluded.secret, teams = excluded.teams,
             messages_per_minute = excluded.messages_per_minute,
             reserved_for_escalations = excluded.reserved_for_escalations, enabled = excluded.enabled,
             account = excluded.account, sender = excluded.sender, template = excluded.template,
             update_time = excluded.update_time, failures = 0, probe_time = null",
    )
    .bind(tenant.as_str())
    .bind(&channel.name)
    .bind(channel.kind.as_str())
    .bind(&channel.endpoint)
    .bind(&channel.endpoint_shown)
    .bind(&channel.secret)
    .bind(&channel.teams)
    .bind(channel.limits.per_minute)
    .bind(channel.limits.reserved)
    .bind(channel.enabled)
    .bind(now.to_sqlx())
    .bind(&channel.account.user)
    .bind(&channel.account.sender)
    .bind(&channel.account.template)
    .execute(tx)
    .await?;
    Ok(())
}

/// Lists channels by name, from after `after` on, each with the reservations that count now.
///
/// # Errors
/// When the database fails.
pub async fn list(
    tx: &mut PgConnection,
    tenant: &TenantId,
    after: Option<&str>,
    limit: i64,
    now: Timestamp,
) -> Result<Vec<(Channel, i64)>, DbError> {
    #[derive(FromRow)]
    struct Listed {
        #[sqlx(flatten)]
        row: Row,
        held: i64,
    }
    let rows: Vec<Listed> = sqlx::query_as(
        "select channel, kind, endpoint, endpoint_shown, secret, account, sender, template, teams, messages_per_minute,
             reserved_for_escalations, enabled, locked_until, failures, probe_time,
             exists (select from quotas q where q.tenant_id = c.tenant_id
                 and (q.channel = c.channel or (q.channel = '' and q.kind in ('', c.kind)))) as has_quota,
             (select count(*) from channel_reservations r
              where r.tenant_id = c.tenant_id and r.channel = c.channel and r.release_time > $4) as held
         from channels c where tenant_id = $1 and ($2::text is null or channel > $2) order by channel limit $3",
    )
    .bind(tenant.as_str())
    .bind(after)
    .bind(limit)
    .bind(now.to_sqlx())
    .fetch_all(tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|listed| (Channel::from(listed.row), listed.held))
        .collect())
}

/// Returns the kind of a channel.
///
/// # Errors
/// When the database fails.
pub async fn kind(tx: &mut PgConnection, tenant: &TenantId, name: &str) -> Result<Option<Kind>, DbError> {
    let kind: Option<String> = sqlx::query_scalar("select kind from channels where tenant_id = $1 and channel = $2")
        .bind(tenant.as_str())
        .bind(name)
        .fetch_optional(tx)
        .await?;
    Ok(kind.and_then(|kind| Kind::find(&kind)))
}

/// The part of a channel that decides who is told by it.
#[derive(Debug, Clone, FromRow)]
pub struct Way {
    /// "channels/{channel}".
    pub channel: String,
    /// Teams it serves; empty serves everybody.
    pub teams: Vec<String>,
}

/// Lists the enabled channels of a tenant, by name.
///
/// # Errors
/// When the database fails.
pub async fn ways(tx: &mut PgConnection, tenant: &TenantId) -> Result<Vec<Way>, DbError> {
    Ok(
        sqlx::query_as("select channel, teams from channels where tenant_id = $1 and enabled order by channel")
            .bind(tenant.as_str())
            .fetch_all(tx)
            .await?,
    )
}

/// Counts an answer of the provider: `failed` adds to the failures in a row, everything else ends them.
///
/// # Errors
/// When the database fails.
pub async fn count_answer(tx: &mut PgConnection, tenant: &TenantId, name: &str, failed: bool) -> Result<(), DbError> {
    sqlx::query(
        "update channels set failures = case when $3 then failures + 1 else 0 end
         where tenant_id = $1 and channel = $2 and ($3 or failures > 0)",
    )
    .bind(tenant.as_str())
    .bind(name)
    .bind(failed)
    .execute(tx)
    .await?;
    Ok(())
}

/// Allows no further attempt before `now + interval`.
///
/// # Errors
/// When the database fails.
pub async fn set_probe(
    tx: &mut PgConnection,
    tenant: &TenantId,
    name: &str,
    now: Timestamp,
    interval: SignedDuration,
) -> Result<(), DbError> {
    sqlx::query("update channels set probe_time = $3 where tenant_id = $1 and channel = $2")
        .bind(tenant.as_str())
        .bind(name)
        .bind((now + interval).to_sqlx())
        .execute(tx)
        .await?;
    Ok(())
}

/// Keeps every replica from sending into a lock of the provider.
///
/// # Errors
/// When the database fails.
pub async fn lock(tx: &mut PgConnection, tenant: &TenantId, name: &str, until: Timestamp) -> Result<(), DbError> {
    sqlx::query("update channels set locked_until = greatest(locked_until, $3) where tenant_id = $1 and channel = $2")
        .bind(tenant.as_str())
        .bind(name)
        .bind(until.to_sqlx())
        .execute(tx)
        .await?;
    Ok(())
}
