//! Puts a member's open leads back in line.

use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::PgConnection;

use crate::{
    domain::{decision::Trigger, ids::MemberId},
    store::{leads, reroute},
};

/// Takes all open leads from a member who left and returns how many there were; the intake loop finds new owners.
///
/// # Errors
/// When the database fails.
pub(crate) async fn leads_of(
    tx: &mut PgConnection,
    tenant: &TenantId,
    member: &MemberId,
    trigger: Trigger,
) -> Result<i32, DbError> {
    let owned = leads::list_owned_for_update(tx, tenant, member).await?;
    if owned.is_empty() {
        return Ok(0);
    }
    let count = i32::try_from(owned.len()).unwrap_or(i32::MAX);
    leads::set_queued(tx, tenant, &owned, trigger).await?;
    leads::add_open_leads(tx, tenant, member, -count).await?;
    reroute::request_leads(tx, tenant, trigger, &owned).await?;
    Ok(count)
}
