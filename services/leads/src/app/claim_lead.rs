//! Taking a lead and giving it back: one owner at any instant, told apart by the fencing token.

use prost::Message;
use reflex_pg::once::{self, Once};
use reflex_proto::leads::v1::{
    ClaimLeadRequest, ClaimLeadResponse, Lead, LeadClaimed, ReleaseLeadRequest, ReleaseLeadResponse,
};
use reflex_rpc::{identity::Caller, request_id::RequestId};
use reflex_runtime::telemetry;
use reflex_tenancy::TenantSet;
use sqlx::PgConnection;
use uuid::Uuid;

use super::App;
use crate::{
    domain::{
        claim::{self, ClaimError},
        decision::Trigger,
        ids::{LeadId, MemberId},
    },
    error::Error,
    events::{self, Facts},
    store::{
        history::{self, Entry},
        leads::{self, LeadRow},
        reroute,
    },
};

/// What both verbs need to know.
struct Grip {
    lead: LeadId,
    member: MemberId,
    request_id: Option<Uuid>,
}

impl App {
    /// Takes a lead for the member it was given to.
    ///
    /// # Errors
    /// [`Error::Stale`], [`Error::WrongState`], [`Error::NotFound`], [`Error::Denied`].
    pub(crate) async fn claim_lead(
        &self,
        caller: &Caller,
        request: &ClaimLeadRequest,
    ) -> Result<ClaimLeadResponse, Error> {
        let grip = grip(caller, &request.name, &request.member, &request.request_id)?;
        let (tenant, now) = (&caller.tenant, self.clock.now());
        let mut tx = self.db.begin("claim_lead", &TenantSet::one(tenant)).await?;
        let claimed = match once::claim(&mut tx, tenant, "ClaimLead", grip.request_id, request).await? {
            Once::Answered(response) => return Ok(response),
            Once::New(claim) => claim,
        };
        let lead = lock(&mut tx, caller, grip.lead).await?;
        claim::check_claim(&lead.standing(), &grip.member, request.fencing_token)?;
        leads::set_claimed(&mut tx, tenant, grip.lead, now).await?;
        history::add(
            &mut tx,
            tenant,
            &[self.entry(&lead, "claimed", Some(grip.member.clone()), String::new())],
        )
        .await?;
        let told = LeadClaimed {
            lead: grip.lead.to_string(),
            member: grip.member.to_string(),
            fencing_token: lead.fencing_token,
        };
        self.tell(&mut tx, caller, events::LEAD_CLAIMED, grip.lead, &told)
            .await?;
        let response = ClaimLeadResponse {
            lead: Some(self.shown(&mut tx, caller, grip.lead).await?),
        };
        claimed.answer(&mut tx, &response).await?;
        tx.commit().await?;
        self.relay.wake();
        Ok(response)
    }

    /// Gives a lead back to be routed anew, past its present owner.
    ///
    /// # Errors
    /// [`Error::Stale`], [`Error::WrongState`], [`Error::NotFound`], [`Error::Denied`].
    pub(crate) async fn release_lead(
        &self,
        caller: &Caller,
        request: &ReleaseLeadRequest,
    ) -> Result<ReleaseLeadResponse, Error> {
        let grip = grip(caller, &request.name, &request.member, &request.request_id)?;
        if request.reason.chars().count() > 500 {
            return Err(Error::invalid("reason", "must be at most 500 characters"));
        }
        let tenant = &caller.tenant;
        let mut tx = self.db.begin("release_lead", &TenantSet::one(tenant)).await?;
        let claimed = match once::claim(&mut tx, tenant, "ReleaseLead", grip.request_id, request).await? {
            Once::Answered(response) => return Ok(response),
            Once::New(claim) => claim,
        };
        let lead = lock(&mut tx, caller, grip.lead).await?;
        claim::check_release(&lead.standing(), &grip.member, request.fencing_token)?;
        leads::set_queued(&mut tx, tenant, &[grip.lead.0], Trigger::Released).await?;
        leads::add_open_leads(&mut tx, tenant, &grip.member, -1).await?;
        let entry = self.entry(&lead, "released", Some(grip.member.clone()), request.reason.clone());
        history::add(&mut tx, tenant, &[entry]).await?;
        reroute::request_leads(&mut tx, tenant, Trigger::Released, &[grip.lead.0]).await?;
        // Whoever gave it back has room for another.
        reroute::request(&mut tx, tenant, Trigger::CapacityFreed, lead.team().as_ref()).await?;
        let response = ReleaseLeadResponse {
            lead: Some(self.shown(&mut tx, caller, grip.lead).await?),
        };
        claimed.answer(&mut tx, &response).await?;
        tx.commit().await?;
        self.intake.wake(tenant);
        Ok(response)
    }

    /// Makes an entry of a lead's history.
    pub(crate) fn entry(&self, lead: &LeadRow, kind: &'static str, member: Option<MemberId>, detail: String) -> Entry {
        Entry {
            lead_id: lead.lead_id,
            id: self.ids.next(),
            time: self.clock.now(),
            kind,
            member,
            detail,
        }
    }

    /// Writes a fact about a lead to the outbox.
    pub(crate) async fn tell(
        &self,
        tx: &mut PgConnection,
        caller: &Caller,
        kind: &'static str,
        lead: LeadId,
        message: &impl Message,
    ) -> Result<(), Error> {
        let facts = Facts {
            tenant: &caller.tenant,
            ids: &self.ids,
            time: self.clock.now(),
        };
        let fact = facts.fact(kind, &lead, telemetry::current_traceparent(), message);
        reflex_events::outbox::push(tx, &[fact]).await?;
        Ok(())
    }

    /// Reads a lead as the caller may see it.
    pub(crate) async fn shown(&self, tx: &mut PgConnection, caller: &Caller, lead: LeadId) -> Result<Lead, Error> {
        let row = leads::find(tx, &caller.tenant, lead)
            .await?
            .ok_or_else(|| Error::NotFound(lead.to_string()))?;
        Ok(super::get_lead::show(&row, caller))
    }
}

/// Locks a lead of the caller's tenant, which has to be one of its own: what is done to one that stands for another is not
/// done to that one, which somebody else may own.
pub(crate) async fn lock(tx: &mut PgConnection, caller: &Caller, lead: LeadId) -> Result<LeadRow, Error> {
    let found = leads::find_for_update(tx, &caller.tenant, lead).await?;
    let found = found.ok_or_else(|| Error::NotFound(lead.to_string()))?;
    check_is_own(&found)?;
    Ok(found)
}

/// Checks that a lead was not merged into another.
///
/// # Errors
/// [`Error::WrongState`] naming that one.
pub(crate) fn check_is_own(lead: &LeadRow) -> Result<(), Error> {
    match lead.merged_into {
        None => Ok(()),
        Some(survivor) => Err(Error::WrongState(format!(
            "{} was merged into {}",
            LeadId(lead.lead_id),
            LeadId(survivor)
        ))),
    }
}

/// Returns who acts: the member of the token, or whoever a manager names.
///
/// # Errors
/// When the caller names somebody else without being a manager, or nobody is named at all.
pub(crate) fn acting_member(caller: &Caller, field: &str, named: &str) -> Result<MemberId, Error> {
    let own = caller.member.as_deref();
    let name = if named.is_empty() {
        own.unwrap_or_default()
    } else {
        named
    };
    if name.is_empty() {
        return Err(Error::invalid(field, "must name a member, as the token names none"));
    }
    if own != Some(name) && !caller.may("leads.act_for_others") {
        return Err(Error::Denied("leads.act_for_others"));
    }
    name.parse()
        .map_err(|error: crate::domain::ids::InvalidName| Error::invalid(field, error.to_string()))
}

/// Parses the name of a lead.
///
/// # Errors
/// When it is none.
pub(crate) fn lead_name(field: &str, name: &str) -> Result<LeadId, Error> {
    name.parse()
        .map_err(|error: crate::domain::ids::InvalidName| Error::invalid(field, error.to_string()))
}

fn grip(caller: &Caller, name: &str, member: &str, request_id: &str) -> Result<Grip, Error> {
    Ok(Grip {
        lead: lead_name("name", name)?,
        member: acting_member(caller, "member", member)?,
        request_id: RequestId::parse(request_id)?,
    })
}

impl From<ClaimError> for Error {
    fn from(error: ClaimError) -> Self {
        match error {
            ClaimError::Stale { .. } => Self::Stale(error.to_string()),
            ClaimError::NotOwner(_) | ClaimError::WrongState(_) => Self::WrongState(error.to_string()),
        }
    }
}
