//! What routing and formulas want to know of a stored lead.

use std::{collections::HashMap, sync::Arc};

use jiff::Timestamp;
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::PgConnection;

use crate::{
    convert,
    domain::{
        account::Account,
        assign::LeadFacts,
        decision::Trigger,
        ids::{MemberId, ResourceId},
        lead_fields::{Details, HeldTag},
    },
    setup::Setup,
    store::{accounts, leads::LeadRow, tags::TagRow},
};

/// Returns what routing wants to know, without the details that only conditions and formulas ask for.
pub(crate) fn bare(lead: &LeadRow, trigger: Trigger) -> LeadFacts {
    LeadFacts {
        lead: lead.lead_id,
        twins: Vec::new(),
        territory: lead.territory.clone(),
        product: lead.product.clone(),
        account: lead.account.clone(),
        trigger,
        previous_owner: lead.previous_owner.as_deref().and_then(|id| MemberId::from_id(id).ok()),
        cooldowns: lead
            .cooldowns
            .as_ref()
            .map(|cooldowns| cooldowns.0.clone())
            .unwrap_or_default(),
        details: Details::default(),
    }
}

/// Returns the details, nothing calculated yet.
pub(crate) fn details(lead: &LeadRow, customer: Option<&Arc<Account>>) -> Details {
    Details {
        source: lead.source.clone(),
        company: lead.company.clone(),
        remark: lead.remark.clone(),
        form: lead
            .form
            .as_ref()
            .map(|form| format!("forms/{form}"))
            .unwrap_or_default(),
        urgency: lead.urgency.as_deref().and_then(convert::urgency_of_word),
        budget_min_fen: lead.budget_min_fen,
        budget_max_fen: lead.budget_max_fen,
        has_phone: !lead.phone.is_empty(),
        has_email: !lead.email.is_empty(),
        create_time: Some(lead.create_time.to_jiff()),
        attributes: lead.attributes.0.clone(),
        tags: lead.tags().iter().map(held).collect(),
        customer: customer.cloned(),
        ..Details::default()
    }
}

/// Returns what conditions want to know of a tag.
fn held(row: &TagRow) -> HeldTag {
    HeldTag {
        tag: row.tag.clone(),
        since: row.tag_time,
        until: row.expire_time,
        progress: row.progress_tag.is_some(),
    }
}

/// Returns everything that formulas may read, nothing calculated yet.
pub(crate) fn full(lead: &LeadRow, customer: Option<&Arc<Account>>) -> LeadFacts {
    LeadFacts {
        details: details(lead, customer),
        ..bare(lead, Trigger::Captured)
    }
}

/// Puts into leads what is known of their accounts now and what the formulas of now make of both: a past lead keeps no
/// earlier account or definition.
///
/// # Errors
/// When the database fails.
pub(crate) async fn complete(
    tx: &mut PgConnection,
    tenant: &TenantId,
    setup: &Setup,
    now: Timestamp,
    leads: Vec<&mut LeadFacts>,
) -> Result<(), DbError> {
    let mut keys: Vec<&str> = leads.iter().map(|lead| lead.account.as_str()).collect();
    keys.retain(|key| !key.is_empty());
    keys.sort_unstable();
    keys.dedup();
    let known = accounts::get_known(tx, tenant, &keys).await?;
    let customers: HashMap<String, Arc<Account>> = known.into_iter().map(|(key, it)| (key, Arc::new(it))).collect();
    let context = setup.context(now);
    for lead in leads {
        lead.details.customer = customers.get(&lead.account).cloned();
        setup.fields.complete(lead, &context);
    }
    Ok(())
}
