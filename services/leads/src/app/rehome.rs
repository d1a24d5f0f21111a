//! Puts a member's open leads back in line.

use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::App;
use crate::{
    domain::{decision::Trigger, ids::MemberId},
    store::{
        history::{self, Entry},
        leads, reroute,
    },
};

/// Takes all open leads from a member who left and returns how many there were; the intake loop finds new owners.
///
/// # Errors
/// When the database fails.
pub(crate) async fn leads_of(
    app: &App,
    tx: &mut PgConnection,
    tenant: &TenantId,
    member: &MemberId,
) -> Result<i32, DbError> {
    let owned = leads::list_owned_for_update(tx, tenant, member).await?;
    if owned.is_empty() {
        return Ok(0);
    }
    let count = i32::try_from(owned.len()).unwrap_or(i32::MAX);
    let trigger = Trigger::OwnerLeft;
    leads::set_queued(tx, tenant, &owned, trigger).await?;
    leads::add_open_leads(tx, tenant, member, -count).await?;
    reroute::request_leads(tx, tenant, trigger, &owned).await?;
    let entries: Vec<Entry> = owned.into_iter().map(|lead| left(app, lead, member)).collect();
    history::add(tx, tenant, &entries).await?;
    Ok(count)
}

/// Makes the entry of a lead's history that says that its owner left.
pub(crate) fn left(app: &App, lead_id: Uuid, member: &MemberId) -> Entry {
    Entry {
        lead_id,
        id: app.ids.next(),
        time: app.clock.now(),
        kind: Trigger::OwnerLeft.as_str(),
        member: Some(member.clone()),
        detail: String::new(),
    }
}
