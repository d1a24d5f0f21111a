//! Encoded messages that quote people: facts that may be published again, and stored answers of requests.

use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgConnection};

use crate::domain::ids::LeadId;

/// An encoded message that may quote a lead.
#[derive(Debug, FromRow)]
pub(crate) struct Quote {
    /// Kind of a fact, or method of an answer.
    pub(crate) kind: String,
    /// What it is kept under.
    pub(crate) key: String,
    pub(crate) data: Vec<u8>,
}

/// Lists the facts about these leads that may be published again.
pub(crate) async fn list_facts(
    tx: &mut PgConnection,
    tenant: &TenantId,
    leads: &[LeadId],
) -> Result<Vec<Quote>, DbError> {
    let facts = sqlx::query_as(
        "select kind, id::text as key, data from outbox where tenant_id = $1 and subject = any ($2) order by id",
    )
    .bind(tenant.as_str())
    .bind(leads.iter().map(ToString::to_string).collect::<Vec<_>>())
    .fetch_all(tx)
    .await?;
    Ok(facts)
}

/// Changes what a fact says.
pub(crate) async fn set_fact(tx: &mut PgConnection, tenant: &TenantId, key: &str, data: &[u8]) -> Result<(), DbError> {
    sqlx::query("update outbox set data = $3 where tenant_id = $1 and id = $2::bigint")
        .bind(tenant.as_str())
        .bind(key)
        .bind(data)
        .execute(tx)
        .await?;
    Ok(())
}

/// Lists the stored answers that name one of these leads.
pub(crate) async fn list_answers(
    tx: &mut PgConnection,
    tenant: &TenantId,
    leads: &[LeadId],
) -> Result<Vec<Quote>, DbError> {
    let answers = sqlx::query_as(
        "select r.method as kind, r.request_id::text as key, r.response as data from request_ids r
         where r.tenant_id = $1 and r.response is not null and exists (
             select from unnest($2::text[]) as named (lead)
             where position(convert_to(named.lead, 'UTF8') in r.response) > 0)
         order by r.method, r.request_id",
    )
    .bind(tenant.as_str())
    .bind(leads.iter().map(ToString::to_string).collect::<Vec<_>>())
    .fetch_all(tx)
    .await?;
    Ok(answers)
}

/// Changes a stored answer.
pub(crate) async fn set_answer(
    tx: &mut PgConnection,
    tenant: &TenantId,
    answer: &Quote,
    data: &[u8],
) -> Result<(), DbError> {
    sqlx::query("update request_ids set response = $4 where tenant_id = $1 and method = $2 and request_id = $3::uuid")
        .bind(tenant.as_str())
        .bind(&answer.kind)
        .bind(&answer.key)
        .bind(data)
        .execute(tx)
        .await?;
    Ok(())
}
