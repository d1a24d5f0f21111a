//! Who may be told something.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx};
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgConnection};

/// Tenant and member name.
pub type Person = (TenantId, String);

/// What an event says about a member.
#[derive(Debug, Clone)]
pub struct Change {
    /// When it was said; older events change nothing.
    pub time: Timestamp,
    /// Name people read.
    pub display_name: String,
    /// "teams/{team}".
    pub team: String,
    /// Mobile number, for mentions.
    pub mobile: String,
    /// Mail address.
    pub email: String,
    /// Language of messages.
    pub locale: String,
    /// Whether they still work here.
    pub active: bool,
}

/// What a batch of events has to do with a person.
#[derive(Debug, Clone, Default)]
pub struct Touch {
    /// The newest change of theirs.
    pub change: Option<Change>,
    /// Inbox items they get.
    pub items: i64,
}

/// A person, as known now.
#[derive(Debug, Clone)]
pub struct Recipient {
    /// Name people read; the member's id while nothing is known.
    pub display_name: String,
    /// "teams/{team}"; empty while unknown.
    pub team: String,
    /// Language of messages.
    pub locale: String,
    /// Number of the last inbox item, those of this touch included.
    pub inbox_sequence: i64,
}

#[derive(FromRow)]
struct Row {
    tenant_id: String,
    member: String,
    display_name: String,
    team: String,
    locale: String,
    inbox_sequence: i64,
}

/// Applies changes, numbers inbox items and returns the people, in one statement: it locks their rows in one order, so
/// that batches of different shards wait for each other instead of standing in each other's way. A person nobody has
/// told us of yet gets a row, too.
///
/// # Errors
/// When the database fails.
pub async fn touch(
    tx: &mut PgConnection,
    people: &BTreeMap<Person, Touch>,
) -> Result<HashMap<Person, Recipient>, DbError> {
    if people.is_empty() {
        return Ok(HashMap::new());
    }
    let field = |of: fn(&Change) -> &str| -> Vec<Option<&str>> {
        people.values().map(|touch| touch.change.as_ref().map(of)).collect()
    };
    let changes = || people.values().map(|touch| touch.change.as_ref());
    let times: Vec<Option<SqlTimestamp>> = changes().map(|change| Some(change?.time.to_sqlx())).collect();
    let active: Vec<Option<bool>> = changes().map(|change| Some(change?.active)).collect();
    let rows: Vec<Row> = sqlx::query_as(
        "insert into recipients as r (tenant_id, member, display_name, team, mobile, locale, active, change_time,
             inbox_sequence, email)
         select tenant_id, member, coalesce(display_name, split_part(member, '/', 2)), coalesce(team, ''),
             coalesce(mobile, ''), coalesce(locale, 'zh-CN'), coalesce(active, true), coalesce(time, '-infinity'), items,
             coalesce(email, '')
         from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::boolean[],
             $8::timestamptz[], $9::bigint[], $10::text[])
             as people (tenant_id, member, display_name, team, mobile, locale, active, time, items, email)
         on conflict (tenant_id, member) do update set
             inbox_sequence = r.inbox_sequence + excluded.inbox_sequence,
             display_name = case when excluded.change_time >= r.change_time then excluded.display_name else r.display_name end,
             team = case when excluded.change_time >= r.change_time then excluded.team else r.team end,
             mobile = case when excluded.change_time >= r.change_time then excluded.mobile else r.mobile end,
             email = case when excluded.change_time >= r.change_time then excluded.email else r.email end,
             locale = case when excluded.change_time >= r.change_time then excluded.locale else r.locale end,
             active = case when excluded.change_time >= r.change_time then excluded.active else r.active end,
             change_time = greatest(excluded.change_time, r.change_time)
         returning tenant_id, member, display_name, team, locale, inbox_sequence",
    )
    .bind(people.keys().map(|(tenant, _)| tenant.as_str()).collect::<Vec<_>>())
    .bind(people.keys().map(|(_, member)| member.as_str()).collect::<Vec<_>>())
    .bind(field(|change| &change.display_name))
    .bind(field(|change| &change.team))
    .bind(field(|change| &change.mobile))
    .bind(field(|change| &change.locale))
    .bind(active)
    .bind(times)
    .bind(people.values().map(|touch| touch.items).collect::<Vec<_>>())
    .bind(field(|change| &change.email))
    .fetch_all(tx)
    .await?;
    let known = rows.into_iter().map(|row| {
        let recipient = Recipient {
            display_name: row.display_name,
            team: row.team,
            locale: row.locale,
            inbox_sequence: row.inbox_sequence,
        };
        ((super::tenant(&row.tenant_id), row.member), recipient)
    });
    Ok(known.collect())
}

/// Remembers that mail to an address came back, if it is still the person's.
///
/// # Errors
/// When the database fails.
pub async fn set_bounced(
    tx: &mut PgConnection,
    tenant: &TenantId,
    member: &str,
    address: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "update recipients set bounced_email = email, bounce_time = $4
         where tenant_id = $1 and member = $2 and lower(email) = lower($3)",
    )
    .bind(tenant.as_str())
    .bind(member)
    .bind(address)
    .bind(now.to_sqlx())
    .execute(tx)
    .await?;
    Ok(())
}

/// Returns the number of a person's last inbox item, 0 for somebody unknown.
///
/// # Errors
/// When the database fails.
pub async fn inbox_sequence(tx: &mut PgConnection, tenant: &TenantId, member: &str) -> Result<i64, DbError> {
    let sequence: Option<i64> =
        sqlx::query_scalar("select inbox_sequence from recipients where tenant_id = $1 and member = $2")
            .bind(tenant.as_str())
            .bind(member)
            .fetch_optional(tx)
            .await?;
    Ok(sequence.unwrap_or(0))
}
