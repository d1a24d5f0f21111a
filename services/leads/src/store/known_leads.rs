//! Leads that rows of a file know already: found by the ids of their sources, and changed many at once.

use std::collections::{BTreeMap, HashSet};

use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use super::leads::{LeadRow, lead_columns};
use crate::{
    convert,
    domain::{
        known_lead::Change,
        merge::{ATTRIBUTE, Content},
        new_lead::NewLead,
    },
};

/// Lists the leads with these sources and external ids.
pub(crate) async fn list(
    tx: &mut PgConnection,
    tenant: &TenantId,
    keys: &[(&str, &str)],
) -> Result<Vec<LeadRow>, DbError> {
    let rows = sqlx::query_as(concat!(
        "select ",
        lead_columns!(),
        " from leads where tenant_id = $1 and lead_id = any (array(
              select l.lead_id from unnest($2::text[], $3::text[]) as sent (source, external_id)
              join leads l on l.tenant_id = $1 and l.source = sent.source and l.external_id = sent.external_id))"
    ))
    .bind(tenant.as_str())
    .bind(keys.iter().map(|(source, _)| *source).collect::<Vec<_>>())
    .bind(keys.iter().map(|(_, external_id)| *external_id).collect::<Vec<_>>())
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

/// Returns those of the leads into which others are merged.
pub(crate) async fn survivors(
    tx: &mut PgConnection,
    tenant: &TenantId,
    leads: &[Uuid],
) -> Result<HashSet<Uuid>, DbError> {
    let survivors: Vec<Uuid> = sqlx::query_scalar(
        "select distinct survivor from lead_merges
         where tenant_id = $1 and survivor = any ($2) and unmerge_time is null",
    )
    .bind(tenant.as_str())
    .bind(leads)
    .fetch_all(tx)
    .await?;
    Ok(survivors.into_iter().collect())
}

/// Returns what a row says, in the words of [`super::merges::content_of`].
pub(crate) fn content_of_row(lead: &NewLead) -> Content {
    let budget = format!("{} {}", lead.budget_min_fen, lead.budget_max_fen);
    let fields = [
        ("account", lead.account.clone()),
        ("budget", if budget == "0 0" { String::new() } else { budget }),
        ("company", lead.company.clone()),
        ("contact_name", lead.contact_name.clone()),
        ("email", lead.email.clone()),
        ("phone", lead.phone.clone()),
        ("product", lead.product.clone()),
        ("remark", lead.remark.clone()),
        ("territory", lead.territory.clone()),
        (
            "urgency",
            lead.urgency.map(convert::urgency_word).unwrap_or_default().to_owned(),
        ),
    ];
    let fields = fields.map(|(field, value)| (field.to_owned(), value));
    let attributes = lead.attributes.iter();
    let attributes = attributes.map(|(name, value)| (format!("{ATTRIBUTE}{name}"), value.clone()));
    Content(fields.into_iter().chain(attributes).collect())
}

/// Lets locked leads say something else.
pub(crate) async fn set_contents(
    tx: &mut PgConnection,
    tenant: &TenantId,
    contents: &[(Uuid, Content)],
) -> Result<(), DbError> {
    let text = |field: &str| -> Vec<&str> {
        let contents = contents.iter();
        contents
            .map(|(_, content)| content.find(field).unwrap_or_default())
            .collect()
    };
    let budgets = text("budget");
    let bounds = budgets.iter().map(|budget| budget.split_once(' ').unwrap_or_default());
    let bound = |text: &str| text.parse::<i64>().unwrap_or_default();
    let (least, most): (Vec<i64>, Vec<i64>) = bounds.map(|(least, most)| (bound(least), bound(most))).unzip();
    let attributes = |content: &'_ Content| -> Json<BTreeMap<String, String>> {
        let fields = content.0.iter();
        let named =
            fields.filter_map(|(field, value)| Some((field.strip_prefix(ATTRIBUTE)?.to_owned(), value.clone())));
        Json(named.collect())
    };
    sqlx::query(
        "update leads l set account = n.account, company = n.company, contact_name = n.contact_name, email = n.email,
             phone = n.phone, product = n.product, remark = n.remark, territory = n.territory,
             urgency = nullif(n.urgency, ''), budget_min_fen = n.budget_min_fen, budget_max_fen = n.budget_max_fen,
             attributes = n.attributes
         from unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
             $10::text[], $11::text[], $12::bigint[], $13::bigint[], $14::jsonb[])
             as n (lead_id, account, company, contact_name, email, phone, product, remark, territory, urgency,
                 budget_min_fen, budget_max_fen, attributes)
         where l.tenant_id = $1 and l.lead_id = n.lead_id",
    )
    .bind(tenant.as_str())
    .bind(contents.iter().map(|(lead, _)| *lead).collect::<Vec<_>>())
    .bind(text("account"))
    .bind(text("company"))
    .bind(text("contact_name"))
    .bind(text("email"))
    .bind(text("phone"))
    .bind(text("product"))
    .bind(text("remark"))
    .bind(text("territory"))
    .bind(text("urgency"))
    .bind(least)
    .bind(most)
    .bind(
        contents
            .iter()
            .map(|(_, content)| attributes(content))
            .collect::<Vec<_>>(),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// A batch of an import.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BatchKey {
    pub(crate) import_id: Uuid,
    /// Rows of the file that are done with it.
    pub(crate) batch: i64,
}

/// Keeps what leads said before and after a batch.
pub(crate) async fn keep_changes(
    tx: &mut PgConnection,
    tenant: &TenantId,
    key: BatchKey,
    changes: &[(Uuid, Change)],
) -> Result<(), DbError> {
    sqlx::query(
        "insert into lead_import_updates (tenant_id, import_id, batch, lead_id, before, after)
         select $1, $2, $3, * from unnest($4::uuid[], $5::jsonb[], $6::jsonb[])",
    )
    .bind(tenant.as_str())
    .bind(key.import_id)
    .bind(key.batch)
    .bind(changes.iter().map(|(lead, _)| *lead).collect::<Vec<_>>())
    .bind(
        changes
            .iter()
            .map(|(_, change)| Json(&change.before))
            .collect::<Vec<_>>(),
    )
    .bind(
        changes
            .iter()
            .map(|(_, change)| Json(&change.after))
            .collect::<Vec<_>>(),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Lists what a batch changed.
pub(crate) async fn list_changes(
    tx: &mut PgConnection,
    tenant: &TenantId,
    key: BatchKey,
) -> Result<Vec<(Uuid, Change)>, DbError> {
    type Row = (
        Uuid,
        Json<BTreeMap<String, Option<String>>>,
        Json<BTreeMap<String, Option<String>>>,
    );
    let rows: Vec<Row> = sqlx::query_as(
        "select lead_id, before, after from lead_import_updates
         where tenant_id = $1 and import_id = $2 and batch = $3 order by lead_id",
    )
    .bind(tenant.as_str())
    .bind(key.import_id)
    .bind(key.batch)
    .fetch_all(tx)
    .await?;
    let change = |(lead, Json(before), Json(after)): Row| (lead, Change { before, after });
    Ok(rows.into_iter().map(change).collect())
}

/// Forgets what a batch changed, but for what is left of it.
pub(crate) async fn replace_changes(
    tx: &mut PgConnection,
    tenant: &TenantId,
    key: BatchKey,
    left: &[(Uuid, Change)],
) -> Result<(), DbError> {
    sqlx::query("delete from lead_import_updates where tenant_id = $1 and import_id = $2 and batch = $3")
        .bind(tenant.as_str())
        .bind(key.import_id)
        .bind(key.batch)
        .execute(&mut *tx)
        .await?;
    if left.is_empty() {
        return Ok(());
    }
    keep_changes(tx, tenant, key, left).await
}
