//! Writes calculated values with their records, and the keys by which lists are ordered; whatever stays the same is not
//! written again, as recomputing seldom changes much.

use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use serde_json::Value as Json;
use sqlx::{PgConnection, types::Json as SqlJson};
use uuid::Uuid;

use crate::domain::calculated::{self, Definition, Outcome, sort_key};

/// The values of one lead or account.
#[derive(Debug)]
pub(crate) struct RecordValues {
    /// The id of a lead, or the account.
    record: String,
    pub(crate) json: Json,
    /// The key of each field.
    keys: Vec<(i64, Option<String>)>,
}

impl RecordValues {
    /// Takes the outcomes of these fields.
    pub(crate) fn new(record: String, definitions: &[Definition], outcomes: &[Outcome]) -> Self {
        let key = |outcome: &Outcome| outcome.as_ref().ok().and_then(sort_key::of);
        let fields = definitions.iter().map(|definition| definition.key);
        Self {
            record,
            json: calculated::to_json(definitions, outcomes),
            keys: fields.zip(outcomes.iter().map(key)).collect(),
        }
    }
}

/// Writes the values of leads that are locked.
pub(crate) async fn save_leads(
    tx: &mut PgConnection,
    tenant: &TenantId,
    values: &[(Uuid, RecordValues)],
) -> Result<(), DbError> {
    sqlx::query(
        "update leads l set calculated = v.calculated
         from unnest($2::uuid[], $3::jsonb[]) as v (lead_id, calculated)
         where l.tenant_id = $1 and l.lead_id = v.lead_id and l.calculated is distinct from v.calculated",
    )
    .bind(tenant.as_str())
    .bind(values.iter().map(|(lead, _)| *lead).collect::<Vec<_>>())
    .bind(
        values
            .iter()
            .map(|(_, values)| SqlJson(&values.json))
            .collect::<Vec<_>>(),
    )
    .execute(&mut *tx)
    .await?;
    save_keys(tx, tenant, values.iter().map(|(_, values)| values)).await
}

/// Writes the values of accounts that are locked.
pub(crate) async fn save_accounts(
    tx: &mut PgConnection,
    tenant: &TenantId,
    values: &[RecordValues],
) -> Result<(), DbError> {
    sqlx::query(
        "update account_profiles p set calculated = v.calculated
         from unnest($2::text[], $3::jsonb[]) as v (account, calculated)
         where p.tenant_id = $1 and p.account = v.account and p.calculated is distinct from v.calculated",
    )
    .bind(tenant.as_str())
    .bind(values.iter().map(|values| values.record.as_str()).collect::<Vec<_>>())
    .bind(values.iter().map(|values| SqlJson(&values.json)).collect::<Vec<_>>())
    .execute(&mut *tx)
    .await?;
    save_keys(tx, tenant, values).await
}

/// Writes the keys of records; none where there are no fields, and then there is no round trip either.
pub(crate) async fn save_keys<'a>(
    tx: &mut PgConnection,
    tenant: &TenantId,
    values: impl IntoIterator<Item = &'a RecordValues>,
) -> Result<(), DbError> {
    let (mut fields, mut records, mut keys) = (Vec::new(), Vec::new(), Vec::new());
    for values in values {
        for (field, key) in &values.keys {
            fields.push(*field);
            records.push(values.record.as_str());
            keys.push(key.as_deref());
        }
    }
    if fields.is_empty() {
        return Ok(());
    }
    // In one order for everybody, so that two who write the same records wait and never deadlock.
    sqlx::query(
        "insert into calculated_keys as k (tenant_id, field_key, record, sort_key)
         select $1, * from unnest($2::bigint[], $3::text[], $4::text[]) as v (field_key, record, sort_key)
         order by field_key, record
         on conflict (tenant_id, field_key, record) do update set sort_key = excluded.sort_key
             where k.sort_key is distinct from excluded.sort_key",
    )
    .bind(tenant.as_str())
    .bind(fields)
    .bind(records)
    .bind(keys)
    .execute(tx)
    .await?;
    Ok(())
}
