//! Writes the new leads of a file with their facts: one statement a batch, which asks no index and joins nothing.

use jiff_sqlx::ToSqlx;
use reflex_events::{STREAM_SHARDS, envelope::shard_of};
use reflex_pg::DbError;
use sqlx::{PgConnection, types::Json};

use super::{
    capture::{NewRow, fact},
    reroute::intake_shard,
};
use crate::{
    convert,
    domain::ids::{FormId, LeadId},
    events::LEAD_CAPTURED,
};

/// Inserts leads of one call, which have its tenant, moment and trace in common, and fails if one of them is there already,
/// see [`is_there_already`].
pub(crate) async fn insert(tx: &mut PgConnection, rows: &[NewRow]) -> Result<(), DbError> {
    let Some(call) = rows.first() else { return Ok(()) };
    macro_rules! column {
        (|$row:ident| $value:expr) => {
            rows.iter().map(|$row| $value).collect::<Vec<_>>()
        };
    }
    let subject = |row: &NewRow| LeadId(row.lead_id).to_string();
    sqlx::query(INSERT)
        .bind(call.tenant.as_str())
        .bind(intake_shard(&call.tenant))
        .bind(call.create_time.to_sqlx())
        .bind(call.traceparent.as_deref())
        .bind(i64::try_from(rows.len()).unwrap_or(i64::MAX))
        .bind(LEAD_CAPTURED)
        .bind(column!(|row| row.lead_id))
        .bind(column!(|row| row.lead.source.as_str()))
        .bind(column!(
            |row| Some(row.lead.external_id.as_str()).filter(|id| !id.is_empty())
        ))
        .bind(column!(|row| row.request_id))
        .bind(column!(|row| row.payload_hash.as_slice()))
        .bind(column!(|row| row.lead.company.as_str()))
        .bind(column!(|row| row.lead.contact_name.as_str()))
        .bind(column!(|row| row.lead.phone.as_str()))
        .bind(column!(|row| row.lead.email.as_str()))
        .bind(column!(|row| row.lead.territory.as_str()))
        .bind(column!(|row| row.lead.product.as_str()))
        .bind(column!(|row| row.lead.urgency.map(convert::urgency_word)))
        .bind(column!(|row| row.lead.budget_min_fen))
        .bind(column!(|row| row.lead.budget_max_fen))
        .bind(column!(|row| row.lead.remark.as_str()))
        .bind(column!(|row| row.lead.account.as_str()))
        .bind(column!(|row| row.lead.form.as_ref().map(FormId::id)))
        .bind(column!(|row| row.lead.form_version))
        .bind(column!(|row| Json(&row.lead.attributes)))
        .bind(column!(|row| row.lead.raw_payload.as_slice()))
        .bind(column!(|row| row.event_id))
        .bind(column!(|row| shard_of(&row.tenant, &subject(row), STREAM_SHARDS)))
        .bind(column!(|row| fact(row)))
        .execute(tx)
        .await?;
    Ok(())
}

/// Whether an insert failed because one of its leads is there already.
pub(crate) fn is_there_already(error: &DbError) -> bool {
    matches!(
        error.constraint(),
        Some("leads_external_id_key" | "leads_request_id_key")
    )
}

const INSERT: &str = "
with taken as (
    insert into lead_numbers as n (tenant_id, next) values ($1, 1 + $5)
    on conflict (tenant_id) do update set next = n.next + excluded.next - 1
    returning next - $5 as first
), facts as (
    insert into outbox (tenant_id, event_id, shard, kind, subject, time, traceparent, data)
    select $1, event_id, stream_shard, $6, 'leads/' || lead_id, $3, $4, fact
    from unnest($7::uuid[], $27::uuid[], $28::smallint[], $29::bytea[]) as sent (lead_id, event_id, stream_shard, fact)
    returning id
), pending as (
    insert into outbox_pending (id, tenant_id) select id, $1 from facts
)
insert into leads (tenant_id, lead_id, shard, number, state, source, external_id, request_id, payload_hash,
    company, contact_name, phone, email, territory, product, urgency, budget_min_fen, budget_max_fen, remark,
    account, form, form_version, attributes, raw_payload, create_time, traceparent, from_file)
select $1, lead_id, $2, (select first from taken) + place - 1, 'captured', source, external_id, request_id, payload_hash,
    company, contact_name, phone, email, territory, product, urgency, budget_min_fen, budget_max_fen, remark,
    account, form, form_version, attributes, raw_payload, $3, $4, true
from unnest($7::uuid[], $8::text[], $9::text[], $10::uuid[], $11::bytea[], $12::text[], $13::text[], $14::text[], $15::text[],
    $16::text[], $17::text[], $18::text[], $19::bigint[], $20::bigint[], $21::text[], $22::text[], $23::text[],
    $24::integer[], $25::jsonb[], $26::bytea[])
    with ordinality as sent (lead_id, source, external_id, request_id, payload_hash, company, contact_name, phone, email,
        territory, product, urgency, budget_min_fen, budget_max_fen, remark, account, form, form_version, attributes,
        raw_payload, place)
";
