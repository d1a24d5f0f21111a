//! What a definition would give for real leads or accounts; nothing here writes.

use std::sync::Arc;

use reflex_expr::Context;
use reflex_proto::leads::v1::{PreviewCalculatedFieldRequest, PreviewCalculatedFieldResponse, PreviewedValue};
use reflex_rpc::{identity::Caller, page};
use reflex_tenancy::{TenantId, TenantSet};
use sqlx::PgConnection;

use super::{App, lead_facts, list_directory::resource};
use crate::{
    convert,
    domain::{
        calculated::{
            CalculatedFields, Entity, Previewed,
            check::{Draft, Purpose},
        },
        ids::{AccountId, LeadId},
    },
    error::Error,
    store::{
        accounts::{self, AccountRow},
        leads::{self, Filter, LeadRow},
    },
};

const DEFAULT_PAGE: i32 = 10;
const LARGEST_PAGE: i32 = 100;

impl App {
    /// Calculates what a definition would give.
    ///
    /// # Errors
    /// [`Error::Violations`] as for storing it, [`Error::NotFound`] for a record that does not exist.
    pub(crate) async fn preview_calculated_field(
        &self,
        caller: &Caller,
        request: &PreviewCalculatedFieldRequest,
    ) -> Result<PreviewCalculatedFieldResponse, Error> {
        let field = request
            .field
            .as_ref()
            .ok_or_else(|| Error::invalid("field", "must be given"))?;
        let raw = convert::fields::raw_definition(field).map_err(|violation| vec![violation])?;
        let draft = Draft::parse(&raw, Purpose::Try)?;
        let size = page::page_size(request.page_size, DEFAULT_PAGE, LARGEST_PAGE)?;
        if request.records.len() as u64 > u64::from(LARGEST_PAGE.unsigned_abs()) {
            return Err(Error::invalid("records", format!("must be at most {LARGEST_PAGE}")));
        }
        let tenant = &caller.tenant;
        let tenants = TenantSet::one(tenant);
        let mut tx = self.db.begin("preview_calculated_field", &tenants).await?;
        let setup = self.setups.get(&mut tx, tenant).await?;
        let checked = setup.fields.check(&draft)?;
        let existing = draft.id.as_ref().and_then(|id| setup.fields.find(id));
        let preview = Preview {
            key: existing.map_or(0, |existing| existing.key),
            field: &draft.field_name,
            fields: CalculatedFields::of_names(checked.names),
            context: setup.context(self.clock.now()),
        };
        let rows = match draft.entity {
            Entity::Lead => {
                let rows = wanted_leads(&mut tx, tenant, &request.records, size).await?;
                let keys: Vec<&str> = rows.iter().map(|row| row.account.as_str()).collect();
                let customers = accounts::get_known(&mut tx, tenant, &keys).await?;
                let shown = |row: &LeadRow| {
                    let customer = customers.get(&row.account).cloned().map(Arc::new);
                    let facts = lead_facts::full(row, customer.as_ref());
                    let previewed = preview.fields.preview_lead(preview.key, facts, &preview.context);
                    preview.row((LeadId(row.lead_id).to_string(), row.number_text()), previewed)
                };
                rows.iter().filter_map(shown).collect()
            }
            Entity::Account => {
                let rows = wanted_accounts(&mut tx, tenant, &request.records, size).await?;
                let shown = |row: &AccountRow| {
                    let account = row.account();
                    let previewed = preview.fields.preview_account(preview.key, &account, &preview.context);
                    preview.row((account.id.to_string(), account.display_name), previewed)
                };
                rows.iter().filter_map(shown).collect()
            }
        };
        Ok(PreviewCalculatedFieldResponse {
            r#type: convert::fields::kind(checked.kind).into(),
            rows,
        })
    }
}

/// A definition among the others, and where it is tried.
struct Preview<'a> {
    key: i64,
    field: &'a str,
    fields: CalculatedFields,
    context: Context,
}

impl Preview<'_> {
    fn row(&self, (record, label): (String, String), previewed: Option<Previewed>) -> Option<PreviewedValue> {
        let previewed = previewed?;
        let inputs = previewed.inputs.iter();
        let inputs = inputs.map(|(name, value)| convert::fields::value(name, &value.to_json()));
        Some(PreviewedValue {
            record,
            label,
            result: Some(convert::fields::outcome(self.field, &previewed.outcome)),
            inputs: inputs.collect(),
        })
    }
}

async fn wanted_leads(
    tx: &mut PgConnection,
    tenant: &TenantId,
    records: &[String],
    size: i64,
) -> Result<Vec<LeadRow>, Error> {
    if records.is_empty() {
        return Ok(leads::list(tx, tenant, &Filter::default(), None, size).await?);
    }
    let mut rows = Vec::with_capacity(records.len());
    for (at, record) in records.iter().enumerate() {
        let id: LeadId = resource(&format!("records[{at}]"), record)?;
        let row = leads::find(tx, tenant, id).await?;
        rows.push(row.ok_or_else(|| Error::NotFound(id.to_string()))?);
    }
    Ok(rows)
}

async fn wanted_accounts(
    tx: &mut PgConnection,
    tenant: &TenantId,
    records: &[String],
    size: i64,
) -> Result<Vec<AccountRow>, Error> {
    if records.is_empty() {
        return Ok(accounts::list(tx, tenant, None, size).await?);
    }
    let mut rows = Vec::with_capacity(records.len());
    for (at, record) in records.iter().enumerate() {
        let id: AccountId = resource(&format!("records[{at}]"), record)?;
        let row = accounts::find(tx, tenant, &id).await?;
        rows.push(row.ok_or_else(|| Error::NotFound(id.to_string()))?);
    }
    Ok(rows)
}
