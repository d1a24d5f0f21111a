//! What the connected registry said of domains, and which are to be asked.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx};
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgConnection, PgPool};
use uuid::Uuid;

use crate::domain::gate::{Company, CompanyAnswer, Known};

/// Shards of the loop that asks; a tenant belongs to one.
pub(crate) const LOOKUP_SHARDS: i16 = 2;
/// Most questions a round.
const ROUND: i64 = 64;
/// Most leads that an answer has judged anew at once; the others are found by the next sweep.
const AFFECTED: i64 = 1_000;

/// Returns the shard of a tenant.
pub(crate) fn lookup_shard(tenant: &TenantId) -> i16 {
    reflex_events::envelope::shard_of(tenant, "", LOOKUP_SHARDS)
}

#[derive(FromRow)]
struct Row {
    domain: String,
    lookup_time: Option<SqlTimestamp>,
    company: Option<String>,
    found_domain: Option<String>,
    industry_code: Option<String>,
    next_attempt_time: Option<SqlTimestamp>,
    failure: Option<String>,
}

/// Returns what is known of domains; a domain that was never asked is not in the answer.
pub(crate) async fn find(
    tx: &mut PgConnection,
    tenant: &TenantId,
    domains: &[String],
    oldest: Timestamp,
) -> Result<HashMap<String, CompanyAnswer>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "select domain, lookup_time, company, found_domain, industry_code, next_attempt_time, failure
         from company_lookups where tenant_id = $1 and domain = any ($2)",
    )
    .bind(tenant.as_str())
    .bind(domains)
    .fetch_all(tx)
    .await?;
    let answer = |row: Row| {
        let fresh = row
            .lookup_time
            .map(SqlTimestamp::to_jiff)
            .filter(|time| *time >= oldest);
        let answer = match (fresh, row.failure) {
            (Some(as_of), _) => {
                let company = row.company.map(|name| Company {
                    name,
                    domain: row.found_domain.unwrap_or_else(|| row.domain.clone()),
                    industry_code: row.industry_code.unwrap_or_default(),
                });
                Some(CompanyAnswer::Known(Known { company, as_of }))
            }
            (None, Some(failure)) => Some(CompanyAnswer::Down(failure)),
            (None, None) => row.next_attempt_time.map(|_| CompanyAnswer::Pending),
        };
        Some((row.domain, answer?))
    };
    Ok(rows.into_iter().filter_map(answer).collect())
}

/// Has domains asked as soon as possible; one that is asked already keeps its turn.
pub(crate) async fn request(
    tx: &mut PgConnection,
    tenant: &TenantId,
    domains: &[String],
    now: Timestamp,
) -> Result<(), DbError> {
    if domains.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into company_lookups as c (tenant_id, domain, shard, next_attempt_time)
         select $1, domain, $3, $4 from unnest($2::text[]) as asked (domain) order by domain
         on conflict (tenant_id, domain) do update set next_attempt_time = excluded.next_attempt_time
             where c.next_attempt_time is null",
    )
    .bind(tenant.as_str())
    .bind(domains)
    .bind(lookup_shard(tenant))
    .bind(now.to_sqlx())
    .execute(tx)
    .await?;
    Ok(())
}

/// Lists what is to be asked in a shard by now; run by the worker role.
pub(crate) async fn list_due(worker: &PgPool, shard: i16, now: Timestamp) -> Result<Vec<(String, String)>, DbError> {
    let due = sqlx::query_as(
        "select tenant_id, domain from company_lookups where shard = $1 and next_attempt_time <= $2
         order by next_attempt_time limit $3",
    )
    .bind(shard)
    .bind(now.to_sqlx())
    .bind(ROUND)
    .fetch_all(worker)
    .await?;
    Ok(due)
}

/// Keeps an answer.
pub(crate) async fn set_answer(
    tx: &mut PgConnection,
    tenant: &TenantId,
    domain: &str,
    company: Option<&Company>,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "update company_lookups set lookup_time = $3, company = $4, found_domain = $5, industry_code = $6,
             next_attempt_time = null, attempts = 0, failure = null
         where tenant_id = $1 and domain = $2",
    )
    .bind(tenant.as_str())
    .bind(domain)
    .bind(now.to_sqlx())
    .bind(company.map(|company| company.name.as_str()))
    .bind(company.map(|company| company.domain.as_str()))
    .bind(company.map(|company| company.industry_code.as_str()))
    .execute(tx)
    .await?;
    Ok(())
}

/// Notes that there was no answer, and asks again later, ever later; returns whether it is the first time in a row.
pub(crate) async fn set_failed(
    tx: &mut PgConnection,
    tenant: &TenantId,
    domain: &str,
    failure: &str,
    now: Timestamp,
) -> Result<bool, DbError> {
    // After 15 s, 30 s, 1 min … at most 15 min.
    let attempts: Option<i32> = sqlx::query_scalar(
        "update company_lookups set attempts = least(attempts + 1, 1000), failure = $3,
             next_attempt_time = $4 + least(interval '15 s' * power(2, least(attempts, 10)), interval '15 min')
         where tenant_id = $1 and domain = $2 returning attempts",
    )
    .bind(tenant.as_str())
    .bind(domain)
    .bind(failure)
    .bind(now.to_sqlx())
    .fetch_optional(tx)
    .await?;
    Ok(attempts == Some(1))
}

/// Lists the kept leads of a mail domain that the gate may judge otherwise now.
pub(crate) async fn list_affected(
    tx: &mut PgConnection,
    tenant: &TenantId,
    domain: &str,
) -> Result<Vec<Uuid>, DbError> {
    let leads = sqlx::query_scalar(
        "select lead_id from lead_gates where tenant_id = $1 and domain = $2 and domain <> ''
             and kept_for in ('gate', 'hold_over') order by lead_id limit $3",
    )
    .bind(tenant.as_str())
    .bind(domain)
    .bind(AFFECTED)
    .fetch_all(tx)
    .await?;
    Ok(leads)
}
