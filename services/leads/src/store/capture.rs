//! Writes new leads with their facts: one statement a batch.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx};
use prost::Message;
use reflex_events::{STREAM_SHARDS, envelope::shard_of};
use reflex_pg::{Database, DbError};
use reflex_proto::leads::v1::LeadCaptured;
use reflex_tenancy::{TenantId, TenantSet};
use sqlx::{FromRow, PgConnection, Postgres, postgres::PgArguments, query::QueryAs, types::Json};
use uuid::Uuid;

use super::reroute::intake_shard;
use crate::{
    convert,
    domain::{ids::LeadId, new_lead::NewLead},
    events::LEAD_CAPTURED,
};

/// A lead to be written.
pub(crate) struct NewRow {
    pub(crate) lead_id: Uuid,
    pub(crate) event_id: Uuid,
    pub(crate) tenant: TenantId,
    pub(crate) lead: NewLead,
    pub(crate) request_id: Option<Uuid>,
    pub(crate) payload_hash: [u8; 32],
    pub(crate) traceparent: Option<String>,
    pub(crate) create_time: Timestamp,
    /// Whether it came with a file.
    pub(crate) from_file: bool,
}

/// A lead an earlier call wrote.
pub(crate) struct Stored {
    pub(crate) tenant: TenantId,
    pub(crate) lead_id: Uuid,
    pub(crate) number: i64,
    pub(crate) source: String,
    pub(crate) external_id: Option<String>,
    pub(crate) request_id: Option<Uuid>,
    pub(crate) payload_hash: Vec<u8>,
    pub(crate) create_time: Timestamp,
}

/// A statement that returns the id and the number of each lead it wrote.
type Insert<'a> = QueryAs<'a, Postgres, (Uuid, i64), PgArguments>;

/// Inserts leads that are not there yet, with their numbers and facts, as a transaction of its own; returns the number of
/// each that was written.
///
/// Numbers are taken for the whole batch, so a repeated lead leaves a gap in them.
pub(crate) async fn insert_alone(db: &Database, rows: &[NewRow]) -> Result<HashMap<Uuid, i64>, DbError> {
    let written = db.run_alone("capture_leads", insertion(rows)).await?;
    Ok(written.into_iter().collect())
}

/// Inserts leads that are not there yet in a transaction that does more; returns those that were written.
pub(crate) async fn insert_new(tx: &mut PgConnection, rows: &[NewRow]) -> Result<Vec<Uuid>, DbError> {
    let written = insertion(rows).fetch_all(tx).await?;
    Ok(written.into_iter().map(|(lead, _)| lead).collect())
}

fn insertion(rows: &[NewRow]) -> Insert<'_> {
    macro_rules! column {
        (|$row:ident| $value:expr) => {
            rows.iter().map(|$row| $value).collect::<Vec<_>>()
        };
    }
    let subject = |row: &NewRow| LeadId(row.lead_id).to_string();
    let mut tenants: BTreeMap<&str, i64> = BTreeMap::new();
    // How many leads of its tenant come after each one: what its number is below the last one taken.
    let behind: Vec<i64> = rows
        .iter()
        .rev()
        .map(|row| {
            let count = tenants.entry(row.tenant.as_str()).or_default();
            *count += 1;
            *count - 1
        })
        .collect();
    let bound: TenantSet = rows.iter().map(|row| row.tenant.clone()).collect();
    sqlx::query_as(INSERT_NEW)
        .bind(column!(|row| row.tenant.as_str()))
        .bind(column!(|row| row.lead_id))
        .bind(column!(|row| intake_shard(&row.tenant)))
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
        .bind(column!(|row| row
            .lead
            .form
            .as_ref()
            .map(crate::domain::ids::FormId::id)))
        .bind(column!(|row| Json(&row.lead.attributes)))
        .bind(column!(|row| row.lead.raw_payload.as_slice()))
        .bind(column!(|row| row.create_time.to_sqlx()))
        .bind(column!(|row| row.traceparent.as_deref()))
        .bind(column!(|row| row.event_id))
        .bind(column!(|row| shard_of(&row.tenant, &subject(row), STREAM_SHARDS)))
        .bind(column!(|row| fact(row)))
        .bind(LEAD_CAPTURED)
        .bind(behind.into_iter().rev().collect::<Vec<_>>())
        .bind(tenants.keys().copied().collect::<Vec<_>>())
        .bind(tenants.values().copied().collect::<Vec<_>>())
        .bind(column!(|row| row.lead.form_version))
        .bind(bound.joined())
        .bind(column!(|row| row.from_file))
}

/// Returns what is told of a new lead.
pub(super) fn fact(row: &NewRow) -> Vec<u8> {
    LeadCaptured {
        lead: LeadId(row.lead_id).to_string(),
        source: row.lead.source.clone(),
        capture_time: Some(convert::timestamp(row.create_time)),
    }
    .encode_to_vec()
}

/// Inserts leads with their facts. Binds its tenants itself, see [`Database::run_alone`].
const INSERT_NEW: &str = "
with bound as materialized (
    select set_config('reflex.tenants', $32, true)
), sent as (
    select sent.* from bound, unnest($1::text[], $2::uuid[], $3::smallint[], $4::text[], $5::text[], $6::uuid[], $7::bytea[],
        $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::bigint[],
        $16::bigint[], $17::text[], $18::text[], $19::text[], $20::jsonb[], $21::bytea[], $22::timestamptz[],
        $23::text[], $24::uuid[], $25::smallint[], $26::bytea[], $28::bigint[],
        $31::integer[], $33::boolean[])
        with ordinality as sent (tenant_id, lead_id, shard, source, external_id, request_id, payload_hash,
            company, contact_name, phone, email, territory, product, urgency, budget_min_fen,
            budget_max_fen, remark, account, form, attributes, raw_payload, create_time,
            traceparent, event_id, stream_shard, fact, behind, form_version, from_file, place)
), taken as (
    insert into lead_numbers as n (tenant_id, next)
    select tenant_id, 1 + leads from bound, unnest($29::text[], $30::bigint[]) as counted (tenant_id, leads)
    on conflict (tenant_id) do update set next = n.next + excluded.next - 1
    returning tenant_id, next
), written as (
    insert into leads (tenant_id, lead_id, shard, number, state, source, external_id, request_id, payload_hash,
        company, contact_name, phone, email, territory, product, urgency, budget_min_fen, budget_max_fen, remark,
        account, form, form_version, attributes, raw_payload, create_time, traceparent,
        from_file)
    select s.tenant_id, s.lead_id, s.shard,
        t.next - 1 - s.behind,
        'captured', s.source, s.external_id, s.request_id, s.payload_hash,
        s.company, s.contact_name, s.phone, s.email, s.territory, s.product, s.urgency, s.budget_min_fen,
        s.budget_max_fen, s.remark, s.account, s.form, s.form_version, s.attributes, s.raw_payload, s.create_time,
        s.traceparent, s.from_file
    from sent s join taken t using (tenant_id) order by s.place
    on conflict do nothing
    returning lead_id, number
), facts as (
    insert into outbox (tenant_id, event_id, shard, kind, subject, time, traceparent, data)
    select s.tenant_id, s.event_id, s.stream_shard, $27, 'leads/' || s.lead_id, s.create_time, s.traceparent, s.fact
    from written w join sent s using (lead_id) order by s.place
    returning id, tenant_id
), pending as (
    insert into outbox_pending (id, tenant_id) select id, tenant_id from facts
)
select lead_id, number from written";

#[derive(FromRow)]
struct StoredRow {
    tenant_id: String,
    lead_id: Uuid,
    number: i64,
    source: String,
    external_id: Option<String>,
    request_id: Option<Uuid>,
    payload_hash: Vec<u8>,
    create_time: SqlTimestamp,
}

/// What a repeated capture is known by.
#[derive(Clone, Copy)]
pub(crate) struct Key<'a> {
    pub(crate) tenant: &'a TenantId,
    pub(crate) request_id: Option<Uuid>,
    pub(crate) source: &'a str,
    pub(crate) external_id: &'a str,
    pub(crate) payload_hash: &'a [u8; 32],
}

impl NewRow {
    /// Returns what the lead is known by when it comes again.
    pub(crate) fn key(&self) -> Key<'_> {
        Key {
            tenant: &self.tenant,
            request_id: self.request_id,
            source: &self.lead.source,
            external_id: &self.lead.external_id,
            payload_hash: &self.payload_hash,
        }
    }
}

/// Lists the leads that earlier calls wrote with these request ids or external ids; of those merged since, the survivors.
/// Whose lead survived is asked once for each that was found: in the condition of a join it may be asked for each pair.
pub(crate) async fn list_earlier(tx: &mut PgConnection, keys: &[Key<'_>]) -> Result<Vec<Stored>, DbError> {
    let found: Vec<StoredRow> = sqlx::query_as(
        "with sent as materialized (
             select * from unnest($1::text[], $2::uuid[], $3::text[], $4::text[])
                 as sent (tenant_id, request_id, source, external_id)
         ), found as (
             select l.tenant_id, l.lead_id from sent
             join leads l on l.tenant_id = sent.tenant_id and l.request_id = sent.request_id
             union
             select l.tenant_id, l.lead_id from sent
             join leads l on l.tenant_id = sent.tenant_id and l.source = sent.source and l.external_id = sent.external_id
         ), earlier as materialized (
             select l.tenant_id, l.lead_id, l.number, l.source, l.external_id, l.request_id, l.payload_hash, l.create_time,
                 case when l.merged_into is not null then survivor_of(l.tenant_id, l.merged_into) end as survivor
             from found f join leads l on l.tenant_id = f.tenant_id and l.lead_id = f.lead_id
         )
         select e.tenant_id, coalesce(s.lead_id, e.lead_id) as lead_id, coalesce(s.number, e.number) as number,
             e.source, e.external_id, e.request_id, e.payload_hash, coalesce(s.create_time, e.create_time) as create_time
         from earlier e
         left join leads s on s.tenant_id = e.tenant_id and s.lead_id = e.survivor",
    )
    .bind(keys.iter().map(|key| key.tenant.as_str()).collect::<Vec<_>>())
    .bind(keys.iter().map(|key| key.request_id).collect::<Vec<_>>())
    .bind(keys.iter().map(|key| key.source).collect::<Vec<_>>())
    .bind(
        keys.iter()
            .map(|key| Some(key.external_id).filter(|id| !id.is_empty()))
            .collect::<Vec<_>>(),
    )
    .fetch_all(tx)
    .await?;
    Ok(found
        .into_iter()
        .map(|row| Stored {
            tenant: row.tenant_id.parse().expect("only valid tenants are written"),
            lead_id: row.lead_id,
            number: row.number,
            source: row.source,
            external_id: row.external_id,
            request_id: row.request_id,
            payload_hash: row.payload_hash,
            create_time: row.create_time.to_jiff(),
        })
        .collect())
}
