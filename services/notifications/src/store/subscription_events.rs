//! Facts that subscriptions listen to, and the deliveries they become.

use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx};
use reflex_events::Envelope;
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

/// Why a delivery about an erased subject was not made.
const ERASED: &str = "what it is about was erased or withdrawn";

/// Facts to keep, with those who want them, as columns.
#[derive(Debug, Default)]
pub struct NewEvents {
    tenants: Vec<String>,
    events: Vec<Uuid>,
    kinds: Vec<String>,
    subjects: Vec<String>,
    times: Vec<SqlTimestamp>,
    data: Vec<Vec<u8>>,
    /// Of each delivery: the event, by its place from 1, and the subscription.
    places: Vec<i64>,
    subscriptions: Vec<String>,
}

impl NewEvents {
    /// Adds a fact with the names of the subscriptions that get it.
    pub fn push(&mut self, event: &Envelope, subscriptions: impl Iterator<Item = String>) {
        self.tenants.push(event.tenant.as_str().to_owned());
        self.events.push(event.id);
        self.kinds.push(event.kind.clone());
        self.subjects.push(event.subject.clone());
        self.times.push(event.time.to_sqlx());
        self.data.push(event.data.clone());
        let place = i64::try_from(self.events.len()).unwrap_or(i64::MAX);
        for subscription in subscriptions {
            self.places.push(place);
            self.subscriptions.push(subscription);
        }
    }
}

/// Keeps facts and writes their deliveries, in one statement; returns whether there is something to deliver. A fact that is
/// kept already changes nothing.
///
/// # Errors
/// When the database fails.
pub async fn write(tx: &mut PgConnection, new: &NewEvents, now: Timestamp) -> Result<bool, DbError> {
    if new.events.is_empty() {
        return Ok(false);
    }
    sqlx::query(
        "with told as (
             select * from unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[], $6::bytea[])
                 with ordinality as told (tenant_id, event, kind, subject, time, data, place)
         ), kept as (
             insert into subscription_events (tenant_id, event, kind, subject, time, data, create_time)
             select tenant_id, event, kind, subject, time, data, $7 from told order by place
             on conflict (tenant_id, event) do nothing
             returning tenant_id, event, sequence, subject
         )
         insert into deliveries (tenant_id, subscription, sequence, event, subject, next_attempt_time, create_time)
         select k.tenant_id, w.subscription, k.sequence, k.event, k.subject, $7, $7
         from unnest($8::bigint[], $9::text[]) as w (place, subscription)
         join told t using (place) join kept k on k.tenant_id = t.tenant_id and k.event = t.event
         order by k.sequence",
    )
    .bind(&new.tenants)
    .bind(&new.events)
    .bind(&new.kinds)
    .bind(&new.subjects)
    .bind(&new.times)
    .bind(&new.data)
    .bind(now.to_sqlx())
    .bind(&new.places)
    .bind(&new.subscriptions)
    .execute(tx)
    .await?;
    Ok(!new.places.is_empty())
}

/// Forgets what was said about subjects, besides facts of the kinds `but`, and gives up what waits to be delivered of it.
///
/// # Errors
/// When the database fails.
pub async fn forget(tx: &mut PgConnection, subjects: &[(TenantId, String)], but: &[&str]) -> Result<(), DbError> {
    let (tenants, names): (Vec<&str>, Vec<&str>) = subjects
        .iter()
        .map(|(tenant, name)| (tenant.as_str(), name.as_str()))
        .unzip();
    sqlx::query(
        "with gone as (
             delete from subscription_events e using unnest($1::text[], $2::text[]) as f (tenant_id, subject)
             where e.tenant_id = f.tenant_id and e.subject = f.subject and e.kind <> all ($3::text[])
             returning e.tenant_id, e.sequence
         )
         update deliveries d set state = 'failed', reason = $4 from gone g
         where d.tenant_id = g.tenant_id and d.sequence = g.sequence and d.state = 'pending'",
    )
    .bind(tenants)
    .bind(names)
    .bind(but)
    .bind(ERASED)
    .execute(tx)
    .await?;
    Ok(())
}

/// A kept fact.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Where it stands in the order.
    pub sequence: i64,
    /// Its id.
    pub event: Uuid,
    /// Full name of its message.
    pub kind: String,
    /// What it is about.
    pub subject: String,
    /// The encoded message.
    pub data: Vec<u8>,
}

#[derive(FromRow)]
struct Row {
    sequence: i64,
    event: Uuid,
    kind: String,
    subject: String,
    data: Vec<u8>,
}

/// Lists kept facts in their order, those behind `after` that happened at `from` or later.
///
/// # Errors
/// When the database fails.
pub async fn list(
    tx: &mut PgConnection,
    tenant: &TenantId,
    after: i64,
    from: Option<Timestamp>,
    limit: i64,
) -> Result<Vec<Kept>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "select sequence, event, kind, subject, data from subscription_events
         where tenant_id = $1 and sequence > $2 and ($3::timestamptz is null or time >= $3) order by sequence limit $4",
    )
    .bind(tenant.as_str())
    .bind(after)
    .bind(from.map(ToSqlx::to_sqlx))
    .bind(limit)
    .fetch_all(tx)
    .await?;
    let kept = |row: Row| Kept {
        sequence: row.sequence,
        event: row.event,
        kind: row.kind,
        subject: row.subject,
        data: row.data,
    };
    Ok(rows.into_iter().map(kept).collect())
}

/// Delivers kept facts to a subscription, also those it has taken.
///
/// # Errors
/// When the database fails.
pub async fn replay(
    tx: &mut PgConnection,
    tenant: &TenantId,
    subscription: &str,
    sequences: &[i64],
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "insert into deliveries (tenant_id, subscription, sequence, event, subject, next_attempt_time, create_time)
         select tenant_id, $2, sequence, event, subject, $4, $4 from subscription_events
         where tenant_id = $1 and sequence = any ($3::bigint[]) order by sequence
         on conflict (tenant_id, subscription, sequence) do update set state = 'pending', reason = '', failures = 0,
             next_attempt_time = excluded.next_attempt_time, deliver_time = null",
    )
    .bind(tenant.as_str())
    .bind(subscription)
    .bind(sequences)
    .bind(now.to_sqlx())
    .execute(tx)
    .await?;
    Ok(())
}
