//! What is due for endpoints, and what became of it. Batches everywhere: one statement reads for many subscriptions, one writes
//! the outcomes of many attempts.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx};
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgConnection, PgPool};
use uuid::Uuid;

use super::tenant;
use crate::domain::subscription::{
    Progress, State,
    health::{BREAKER_FAILURES, Health},
};

/// Tenant and "subscriptions/{subscription}".
pub type Key = (TenantId, String);

/// Lists the subscriptions for which something is due; run by the worker role.
///
/// # Errors
/// When the database fails.
pub async fn due(worker: &PgPool, now: Timestamp) -> Result<Vec<Key>, DbError> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "select s.tenant_id, s.subscription from subscriptions s
         where s.state = 'active' and (s.probe_time is null or s.probe_time <= $1)
             and exists (select from deliveries d
                 where d.tenant_id = s.tenant_id and d.subscription = s.subscription and d.state = 'pending'
                     and (s.failures >= $2 or d.next_attempt_time <= $1))",
    )
    .bind(now.to_sqlx())
    .bind(BREAKER_FAILURES)
    .fetch_all(worker)
    .await?;
    Ok(rows.into_iter().map(|(of, name)| (tenant(&of), name)).collect())
}

/// What is wanted of one subscription.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Whose.
    pub key: Key,
    /// At most so many.
    pub count: i64,
    /// But none of these, which are at hand.
    pub held: Vec<i64>,
}

/// What is needed to send to an endpoint.
#[derive(Debug, Clone)]
pub struct Sealed {
    /// Encrypted address.
    pub endpoint: Vec<u8>,
    /// Encrypted secret.
    pub secret: Vec<u8>,
    /// The encrypted one before it, and until when it signs besides.
    pub former: Option<(Vec<u8>, Timestamp)>,
    /// Whether people's data goes along unmasked.
    pub personal_data: bool,
    /// How the endpoint does.
    pub health: Health,
    /// Grows with each change by a person.
    pub version: i64,
}

/// An event that is due for a subscription.
#[derive(Debug, Clone)]
pub struct Due {
    /// Where it stands in the order.
    pub sequence: i64,
    /// Its id.
    pub event: Uuid,
    /// What it is about.
    pub subject: String,
    /// Attempts so far.
    pub attempts: i32,
    /// Failed ones since it was last asked for.
    pub failures: i32,
    /// Full name of its message.
    pub kind: String,
    /// When it happened.
    pub time: Timestamp,
    /// The encoded message.
    pub data: Vec<u8>,
}

#[derive(FromRow)]
struct Row {
    tenant_id: String,
    subscription: String,
    endpoint: Vec<u8>,
    secret: Vec<u8>,
    former_secret: Option<Vec<u8>>,
    overlap_end_time: Option<SqlTimestamp>,
    personal_data: bool,
    endpoint_failures: i32,
    probe_time: Option<SqlTimestamp>,
    version: i64,
    sequence: i64,
    event: Uuid,
    subject: String,
    attempts: i32,
    failures: i32,
    kind: String,
    time: SqlTimestamp,
    data: Vec<u8>,
}

/// Reads what is due, in order: of an endpoint that gets single probes the first that waits; of others what is due and not
/// behind something of its subject that waits for its next attempt.
///
/// # Errors
/// When the database fails.
pub async fn load(
    tx: &mut PgConnection,
    wanted: &[Wanted],
    now: Timestamp,
) -> Result<Vec<(Key, Sealed, Vec<Due>)>, DbError> {
    let tenants: Vec<&str> = wanted.iter().map(|wanted| wanted.key.0.as_str()).collect();
    let names: Vec<&str> = wanted.iter().map(|wanted| wanted.key.1.as_str()).collect();
    let counts: Vec<i64> = wanted.iter().map(|wanted| wanted.count).collect();
    let numbered = (1_i64..)
        .zip(wanted)
        .flat_map(|(number, wanted)| wanted.held.iter().map(move |held| (number, *held)));
    let (holders, held): (Vec<i64>, Vec<i64>) = numbered.unzip();
    let rows: Vec<Row> = sqlx::query_as(
        "select s.tenant_id, s.subscription, s.endpoint, s.secret, s.former_secret, s.overlap_end_time, s.personal_data,
             s.failures as endpoint_failures, s.probe_time, s.version, d.sequence, d.event, d.subject, d.attempts, d.failures,
             e.kind, e.time, e.data
         from unnest($1::text[], $2::text[], $3::bigint[]) with ordinality as w (tenant_id, subscription, count, number)
         join subscriptions s on s.tenant_id = w.tenant_id and s.subscription = w.subscription and s.state = 'active'
         cross join lateral (
             select d.sequence, d.event, d.subject, d.attempts, d.failures from deliveries d
             where d.tenant_id = w.tenant_id and d.subscription = w.subscription and d.state = 'pending'
                 and d.sequence <> all (array(
                     select h.sequence from unnest($6::bigint[], $7::bigint[]) as h (number, sequence)
                     where h.number = w.number))
                 and (s.failures >= $5 or (d.next_attempt_time <= $4 and not exists (
                     select from deliveries b
                     where b.tenant_id = d.tenant_id and b.subscription = d.subscription and b.state = 'pending'
                         and b.subject = d.subject and b.sequence < d.sequence and b.next_attempt_time > $4)))
             order by d.sequence limit case when s.failures >= $5 then least(w.count, 1) else w.count end
         ) d
         join subscription_events e on e.tenant_id = w.tenant_id and e.sequence = d.sequence
         order by w.number, d.sequence",
    )
    .bind(tenants)
    .bind(names)
    .bind(counts)
    .bind(now.to_sqlx())
    .bind(BREAKER_FAILURES)
    .bind(holders)
    .bind(held)
    .fetch_all(tx)
    .await?;
    let mut loaded: Vec<(Key, Sealed, Vec<Due>)> = Vec::new();
    for row in rows {
        let is_same =
            |(key, ..): &&mut (Key, Sealed, Vec<Due>)| key.0.as_str() == row.tenant_id && key.1 == row.subscription;
        if let Some((.., items)) = loaded.last_mut().filter(is_same) {
            items.push(item(row));
        } else {
            let key = (tenant(&row.tenant_id), row.subscription.clone());
            loaded.push((key, sealed(&row), vec![item(row)]));
        }
    }
    Ok(loaded)
}

fn sealed(row: &Row) -> Sealed {
    let overlap_end = row.overlap_end_time.map(SqlTimestamp::to_jiff);
    Sealed {
        endpoint: row.endpoint.clone(),
        secret: row.secret.clone(),
        former: row.former_secret.clone().zip(overlap_end),
        personal_data: row.personal_data,
        health: Health {
            failures: row.endpoint_failures,
            probe_time: row.probe_time.map(SqlTimestamp::to_jiff),
        },
        version: row.version,
    }
}

fn item(row: Row) -> Due {
    Due {
        sequence: row.sequence,
        event: row.event,
        subject: row.subject,
        attempts: row.attempts,
        failures: row.failures,
        kind: row.kind,
        time: row.time.to_jiff(),
        data: row.data,
    }
}

/// What became of one attempt.
#[derive(Debug, Clone)]
pub struct Attempted {
    /// Whose.
    pub key: Key,
    /// Where the event stands in the order.
    pub sequence: i64,
    /// The attempt's number, from 1.
    pub number: i32,
    /// How far the delivery has come.
    pub progress: Progress,
    /// Why it was given up.
    pub reason: String,
    /// Failed attempts since it was last asked for.
    pub failures: i32,
    /// When it is tried next.
    pub next_attempt_time: Timestamp,
    /// What the attempt came to.
    pub outcome: &'static str,
    /// HTTP status; 0 without an answer.
    pub status: i32,
    /// What went wrong.
    pub detail: String,
    /// How long it took.
    pub latency: SignedDuration,
    /// When it ended.
    pub time: Timestamp,
}

/// Writes attempts and what they make of their deliveries, in one statement, and returns the versions of the subscriptions that
/// are still active. A delivery that somebody else ended meanwhile stays as it is.
///
/// # Errors
/// When the database fails.
pub async fn store(tx: &mut PgConnection, attempted: &[Attempted]) -> Result<HashMap<Key, i64>, DbError> {
    let column = |of: fn(&Attempted) -> &str| -> Vec<&str> { attempted.iter().map(of).collect() };
    let number = |of: fn(&Attempted) -> i32| -> Vec<i32> { attempted.iter().map(of).collect() };
    let time = |of: fn(&Attempted) -> Timestamp| -> Vec<SqlTimestamp> {
        attempted.iter().map(|attempt| of(attempt).to_sqlx()).collect()
    };
    let latencies: Vec<i64> = attempted
        .iter()
        .map(|attempt| i64::try_from(attempt.latency.as_micros()).unwrap_or(i64::MAX))
        .collect();
    let rows: Vec<(String, String, i64)> = sqlx::query_as(
        "with attempted as (
             select * from unnest($1::text[], $2::text[], $3::bigint[], $4::integer[], $5::text[], $6::text[], $7::integer[],
                     $8::timestamptz[], $9::text[], $10::integer[], $11::text[], $12::bigint[], $13::timestamptz[])
                 as attempted (tenant_id, subscription, sequence, number, state, reason, failures, next_attempt_time, outcome,
                     status, detail, latency, time)
         ), moved as (
             update deliveries d set state = a.state, reason = a.reason, attempts = a.number, failures = a.failures,
                 next_attempt_time = a.next_attempt_time,
                 deliver_time = case when a.state = 'delivered' then a.time end
             from attempted a
             where d.tenant_id = a.tenant_id and d.subscription = a.subscription and d.sequence = a.sequence
                 and d.state = 'pending'
         ), told as (
             insert into delivery_attempts (tenant_id, subscription, sequence, number, outcome, status, detail,
                 latency_microseconds, create_time)
             select tenant_id, subscription, sequence, number, outcome, status, detail, latency, time from attempted
             on conflict (tenant_id, subscription, sequence, number) do nothing
         )
         select s.tenant_id, s.subscription, s.version
         from (select distinct tenant_id, subscription from attempted) a
         join subscriptions s on s.tenant_id = a.tenant_id and s.subscription = a.subscription and s.state = 'active'",
    )
    .bind(column(|attempt| attempt.key.0.as_str()))
    .bind(column(|attempt| attempt.key.1.as_str()))
    .bind(attempted.iter().map(|attempt| attempt.sequence).collect::<Vec<_>>())
    .bind(number(|attempt| attempt.number))
    .bind(column(|attempt| attempt.progress.as_str()))
    .bind(column(|attempt| attempt.reason.as_str()))
    .bind(number(|attempt| attempt.failures))
    .bind(time(|attempt| attempt.next_attempt_time))
    .bind(column(|attempt| attempt.outcome))
    .bind(number(|attempt| attempt.status))
    .bind(column(|attempt| attempt.detail.as_str()))
    .bind(latencies)
    .bind(time(|attempt| attempt.time))
    .fetch_all(tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(of, name, version)| ((tenant(&of), name), version))
        .collect())
}

/// What an endpoint's answers say about it.
#[derive(Debug, Clone)]
pub struct Judged {
    /// Whose endpoint.
    pub key: Key,
    /// Of the subscription that was sent to; whoever changed it since knows better.
    pub version: i64,
    /// How it does.
    pub health: Health,
    /// Whether events still go out.
    pub state: State,
    /// Why they do not.
    pub reason: &'static str,
}

/// Writes how endpoints do.
///
/// # Errors
/// When the database fails.
pub async fn judge(tx: &mut PgConnection, judged: &[Judged]) -> Result<(), DbError> {
    if judged.is_empty() {
        return Ok(());
    }
    let probe_times: Vec<Option<SqlTimestamp>> = judged
        .iter()
        .map(|judged| judged.health.probe_time.map(ToSqlx::to_sqlx))
        .collect();
    sqlx::query(
        "update subscriptions s set failures = j.failures, probe_time = j.probe_time, state = j.state, reason = j.reason
         from unnest($1::text[], $2::text[], $3::bigint[], $4::integer[], $5::timestamptz[], $6::text[], $7::text[])
             as j (tenant_id, subscription, version, failures, probe_time, state, reason)
         where s.tenant_id = j.tenant_id and s.subscription = j.subscription and s.version = j.version
             and s.state = 'active'",
    )
    .bind(judged.iter().map(|judged| judged.key.0.as_str()).collect::<Vec<_>>())
    .bind(judged.iter().map(|judged| judged.key.1.as_str()).collect::<Vec<_>>())
    .bind(judged.iter().map(|judged| judged.version).collect::<Vec<_>>())
    .bind(judged.iter().map(|judged| judged.health.failures).collect::<Vec<_>>())
    .bind(probe_times)
    .bind(judged.iter().map(|judged| judged.state.as_str()).collect::<Vec<_>>())
    .bind(judged.iter().map(|judged| judged.reason).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}
