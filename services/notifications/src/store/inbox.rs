//! In-app inboxes.

use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx};
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use crate::domain::message::Class;

/// One entry of an inbox.
#[derive(Debug, Clone)]
pub struct Item {
    /// Id of the item and of its message.
    pub id: Uuid,
    /// "members/{member}".
    pub recipient: String,
    /// Its place in the inbox.
    pub sequence: i64,
    /// As rendered.
    pub title: String,
    /// As rendered.
    pub body: String,
    /// What it is about.
    pub subject: String,
    /// How pressing it is.
    pub class: Class,
    /// When it came.
    pub create_time: Timestamp,
    /// When it was read.
    pub read_time: Option<Timestamp>,
}

#[derive(FromRow)]
struct Row {
    message: Uuid,
    recipient: String,
    sequence: i64,
    title: String,
    body: String,
    subject: String,
    class: String,
    create_time: SqlTimestamp,
    read_time: Option<SqlTimestamp>,
}

impl From<Row> for Item {
    fn from(row: Row) -> Self {
        Self {
            id: row.message,
            recipient: row.recipient,
            sequence: row.sequence,
            title: row.title,
            body: row.body,
            subject: row.subject,
            class: Class::find(&row.class).expect("a check keeps other classes out"),
            create_time: row.create_time.to_jiff(),
            read_time: row.read_time.map(SqlTimestamp::to_jiff),
        }
    }
}

/// Which items to list.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    /// Whose.
    pub recipient: &'a str,
    /// Only those not read.
    pub unread_only: bool,
    /// Only those before this place.
    pub before: Option<i64>,
    /// How many.
    pub limit: i64,
}

/// Lists items, newest first.
///
/// # Errors
/// When the database fails.
pub async fn list(tx: &mut PgConnection, tenant: &TenantId, page: &Page<'_>) -> Result<Vec<Item>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "select i.message, i.recipient, i.sequence, m.title, m.body, m.subject, m.class, i.create_time, i.read_time
         from inbox_items i join messages m using (tenant_id, message)
         where i.tenant_id = $1 and i.recipient = $2 and ($3::bigint is null or i.sequence < $3)
             and not ($4 and i.read_time is not null)
         order by i.sequence desc limit $5",
    )
    .bind(tenant.as_str())
    .bind(page.recipient)
    .bind(page.before)
    .bind(page.unread_only)
    .bind(page.limit)
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(Item::from).collect())
}

/// Counts a person's unread items.
///
/// # Errors
/// When the database fails.
pub async fn count_unread(tx: &mut PgConnection, tenant: &TenantId, recipient: &str) -> Result<i64, DbError> {
    Ok(sqlx::query_scalar(
        "select count(*) from inbox_items where tenant_id = $1 and recipient = $2 and read_time is null",
    )
    .bind(tenant.as_str())
    .bind(recipient)
    .fetch_one(tx)
    .await?)
}

/// Finds an item and locks it.
///
/// # Errors
/// When the database fails.
pub async fn find_for_update(tx: &mut PgConnection, tenant: &TenantId, id: Uuid) -> Result<Option<Item>, DbError> {
    let row: Option<Row> = sqlx::query_as(
        "select i.message, i.recipient, i.sequence, m.title, m.body, m.subject, m.class, i.create_time, i.read_time
         from inbox_items i join messages m using (tenant_id, message)
         where i.tenant_id = $1 and i.message = $2 for no key update of i",
    )
    .bind(tenant.as_str())
    .bind(id)
    .fetch_optional(tx)
    .await?;
    Ok(row.map(Item::from))
}

/// Marks an item as read.
///
/// # Errors
/// When the database fails.
pub async fn mark_read(tx: &mut PgConnection, tenant: &TenantId, id: Uuid, now: Timestamp) -> Result<(), DbError> {
    sqlx::query("update inbox_items set read_time = $3 where tenant_id = $1 and message = $2")
        .bind(tenant.as_str())
        .bind(id)
        .bind(now.to_sqlx())
        .execute(tx)
        .await?;
    Ok(())
}

/// Somebody who waits for new items.
#[derive(Debug, Clone)]
pub struct Watcher {
    /// Whose rows.
    pub tenant: TenantId,
    /// Whose inbox.
    pub recipient: String,
    /// Place of the last item they have.
    pub after: i64,
    /// How many items they can take now.
    pub room: i64,
}

/// Returns the new items of many watchers, each with the watcher's position in the list, in the order of the inboxes.
///
/// # Errors
/// When the database fails.
///
/// # Panics
/// Never: the database counts from 1.
pub async fn news(tx: &mut PgConnection, watchers: &[Watcher]) -> Result<Vec<(usize, Item)>, DbError> {
    #[derive(FromRow)]
    struct News {
        place: i64,
        #[sqlx(flatten)]
        row: Row,
    }
    let rows: Vec<News> = sqlx::query_as(
        "select w.place, i.message, i.recipient, i.sequence, m.title, m.body, m.subject, m.class, i.create_time,
             i.read_time
         from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) with ordinality
             as w (tenant_id, recipient, after, room, place)
         cross join lateral (
             select * from inbox_items i
             where i.tenant_id = w.tenant_id and i.recipient = w.recipient and i.sequence > w.after
             order by i.sequence limit w.room
         ) as i
         cross join lateral (
             -- The offset keeps the planner from reading all messages into a hash.
             select * from messages m where m.tenant_id = i.tenant_id and m.message = i.message offset 0
         ) as m
         order by w.place, i.sequence",
    )
    .bind(
        watchers
            .iter()
            .map(|watcher| watcher.tenant.as_str())
            .collect::<Vec<_>>(),
    )
    .bind(
        watchers
            .iter()
            .map(|watcher| watcher.recipient.as_str())
            .collect::<Vec<_>>(),
    )
    .bind(watchers.iter().map(|watcher| watcher.after).collect::<Vec<_>>())
    .bind(watchers.iter().map(|watcher| watcher.room).collect::<Vec<_>>())
    .fetch_all(tx)
    .await?;
    let news = rows.into_iter().map(|news| {
        let place = usize::try_from(news.place).expect("ordinality counts from 1") - 1;
        (place, Item::from(news.row))
    });
    Ok(news.collect())
}
