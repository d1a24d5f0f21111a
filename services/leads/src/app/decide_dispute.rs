//! Disputes about whose lead it is: opened by who says it is theirs, decided by who leads them, on the evidence of the
//! records.

use reflex_pg::once::{self, Once};
use reflex_proto::leads::v1::{
    DecideDisputeRequest, DecideDisputeResponse, GetDisputeRequest, GetDisputeResponse, LeadAssigned,
    ListDisputesRequest, ListDisputesResponse, OpenDisputeRequest, OpenDisputeResponse,
};
use reflex_rpc::{identity::Caller, request_id::RequestId};
use reflex_tenancy::{TenantId, TenantSet};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    App,
    claim_lead::{acting_member, lead_name, lock},
    get_lead::optional,
    list_directory::resource,
    list_ownership::evidence,
    paging::Page,
};
use crate::{
    convert,
    domain::{
        decision::Trigger,
        ids::{DisputeId, LeadId, MemberId, TeamId},
        lead::State,
    },
    error::Error,
    events,
    setup::Setup,
    store::{
        history,
        leads::{self, LeadRow},
        ownership::{self, DisputeRow, NewDispute, OpenOnly, Verdict},
        reroute,
    },
};

const LARGEST_PAGE: i32 = 500;

impl App {
    /// Opens a dispute.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::NotFound`], [`Error::Denied`], [`Error::WrongState`] while another one is open, when
    /// the claimant owns the lead already, or does not work here.
    pub(crate) async fn open_dispute(
        &self,
        caller: &Caller,
        request: &OpenDisputeRequest,
    ) -> Result<OpenDisputeResponse, Error> {
        let named = lead_name("lead", &request.lead)?;
        let claimant = acting_member(caller, "claimant", &request.claimant)?;
        check_reason(&request.reason)?;
        let request_id = RequestId::parse(&request.request_id)?;
        let tenant = &caller.tenant;
        let mut tx = self.db.begin("open_dispute", &TenantSet::one(tenant)).await?;
        let claimed = match once::claim(&mut tx, tenant, "OpenDispute", request_id, request).await? {
            Once::Answered(response) => return Ok(response),
            Once::New(claim) => claim,
        };
        let setup = self.hold_setup(&mut tx, tenant).await?;
        team_of(&setup, &claimant)?;
        let lead = lock_survivor(&mut tx, caller, named).await?;
        let id = LeadId(lead.lead_id);
        if lead.owner().as_ref() == Some(&claimant) {
            return Err(Error::WrongState(format!("{id} is owned by {claimant} already")));
        }
        let opener = caller_member(caller);
        let dispute = NewDispute {
            id: DisputeId(self.ids.next()),
            lead: id,
            claimant: &claimant,
            reason: &request.reason,
            opener: opener.as_ref(),
            time: self.clock.now(),
        };
        if !ownership::open(&mut tx, tenant, &dispute).await? {
            return Err(Error::WrongState(format!("another dispute about {id} is open")));
        }
        let entry = self.entry(&lead, "disputed", Some(claimant.clone()), dispute.id.to_string());
        history::add(&mut tx, tenant, &[entry]).await?;
        let response = OpenDisputeResponse {
            dispute: Some(shown(&mut tx, tenant, dispute.id).await?),
            evidence: Some(evidence(&mut tx, tenant, id).await?),
        };
        claimed.answer(&mut tx, &response).await?;
        tx.commit().await?;
        Ok(response)
    }

    /// Decides a dispute, and gives the lead to whose it is.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::NotFound`], [`Error::WrongState`] when it is decided already, the lead was not routed
    /// yet, or the member does not work here.
    pub(crate) async fn decide_dispute(
        &self,
        caller: &Caller,
        request: &DecideDisputeRequest,
    ) -> Result<DecideDisputeResponse, Error> {
        let id: DisputeId = resource("name", &request.name)?;
        let owner: MemberId = resource("owner", &request.owner)?;
        check_reason(&request.reason)?;
        let request_id = RequestId::parse(&request.request_id)?;
        let tenant = &caller.tenant;
        let mut tx = self.db.begin("decide_dispute", &TenantSet::one(tenant)).await?;
        let claimed = match once::claim(&mut tx, tenant, "DecideDispute", request_id, request).await? {
            Once::Answered(response) => return Ok(response),
            Once::New(claim) => claim,
        };
        let setup = self.hold_setup(&mut tx, tenant).await?;
        let missing = || Error::NotFound(id.to_string());
        let about = ownership::find(&mut tx, tenant, id).await?.ok_or_else(missing)?;
        let lead = lock_survivor(&mut tx, caller, LeadId(about.lead_id)).await?;
        // Under the lead's lock, as all that is done to it; two who decide at once are told apart here.
        let dispute = ownership::find_for_update(&mut tx, tenant, id)
            .await?
            .ok_or_else(missing)?;
        if let Some(decided) = &dispute.owner {
            return Err(Error::WrongState(format!(
                "{id} is decided already, for members/{decided}"
            )));
        }
        let team = team_of(&setup, &owner)?;
        if lead.state() == State::Captured {
            return Err(Error::WrongState("the lead is not routed yet".into()));
        }
        let decider = caller_member(caller);
        let said = evidence(&mut tx, tenant, LeadId(lead.lead_id)).await?;
        let verdict = Verdict {
            owner: &owner,
            decider: decider.as_ref(),
            decision: &request.reason,
            evidence: &said,
            time: self.clock.now(),
        };
        ownership::decide(&mut tx, tenant, id, &verdict).await?;
        if lead.owner().as_ref() != Some(&owner) {
            self.award(&mut tx, caller, &lead, &owner, &team).await?;
        }
        let response = DecideDisputeResponse {
            dispute: Some(shown(&mut tx, tenant, id).await?),
            lead: Some(self.shown(&mut tx, caller, LeadId(lead.lead_id)).await?),
        };
        claimed.answer(&mut tx, &response).await?;
        tx.commit().await?;
        self.relay.wake();
        self.intake.wake(tenant);
        Ok(response)
    }

    /// Gives a locked lead to somebody, who need not claim it.
    async fn award(
        &self,
        tx: &mut PgConnection,
        caller: &Caller,
        lead: &LeadRow,
        owner: &MemberId,
        team: &TeamId,
    ) -> Result<(), Error> {
        let (tenant, now) = (&caller.tenant, self.clock.now());
        let id = LeadId(lead.lead_id);
        ownership::award(tx, tenant, id, owner, team, now).await?;
        let entry = self.entry(lead, "awarded", Some(owner.clone()), team.to_string());
        history::add(tx, tenant, &[entry]).await?;
        if !lead.state().is_open() {
            return Ok(());
        }
        if lead.state().is_owned()
            && let Some(before) = lead.owner()
        {
            leads::add_open_leads(tx, tenant, &before, -1).await?;
            reroute::request(tx, tenant, Trigger::CapacityFreed, lead.team().as_ref()).await?;
        }
        leads::add_open_leads(tx, tenant, owner, 1).await?;
        let told = LeadAssigned {
            lead: id.to_string(),
            number: lead.number_text(),
            owner: owner.to_string(),
            team: team.to_string(),
            company: lead.company.clone(),
            contact_name: lead.contact_name.clone(),
            product: lead.product.clone(),
            territory: lead.territory.clone(),
            source: lead.source.clone(),
            fencing_token: lead.fencing_token + 1,
            trigger: "dispute".into(),
            capture_time: Some(convert::timestamp(lead.create_time.to_jiff())),
            assign_time: Some(convert::timestamp(now)),
            claim_due_time: None,
            contact_due_time: lead.contact_due_time.map(|time| convert::timestamp(time.to_jiff())),
        };
        self.tell(tx, caller, events::LEAD_ASSIGNED, id, &told).await
    }

    /// Returns a dispute with its evidence.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::NotFound`].
    pub(crate) async fn get_dispute(
        &self,
        caller: &Caller,
        request: &GetDisputeRequest,
    ) -> Result<GetDisputeResponse, Error> {
        let id: DisputeId = resource("name", &request.name)?;
        let tenant = &caller.tenant;
        let mut tx = self.db.begin("get_dispute", &TenantSet::one(tenant)).await?;
        let found = ownership::find(&mut tx, tenant, id).await?;
        let dispute = found.ok_or_else(|| Error::NotFound(id.to_string()))?;
        let evidence = if let Some(said) = dispute.evidence() {
            said
        } else {
            let lead = leads::find_survivor(&mut tx, tenant, LeadId(dispute.lead_id)).await?;
            let lead = lead.map_or(dispute.lead_id, |lead| lead.lead_id);
            evidence(&mut tx, tenant, LeadId(lead)).await?
        };
        Ok(GetDisputeResponse {
            dispute: Some(convert::ownership::dispute(&dispute)),
            evidence: Some(evidence),
        })
    }

    /// Lists disputes, newest first.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::Refused`] for a page token of another query.
    pub(crate) async fn list_disputes(
        &self,
        caller: &Caller,
        request: &ListDisputesRequest,
    ) -> Result<ListDisputesResponse, Error> {
        let tenant = &caller.tenant;
        let lead: Option<LeadId> = optional("lead", &request.lead)?;
        let open_only = OpenOnly(request.open_only);
        let query = ("disputes", tenant.as_str(), lead, open_only);
        let page: Page<_, Uuid> =
            Page::parse(&self.pages, query, request.page_size, &request.page_token, LARGEST_PAGE)?;
        let mut tx = self.db.begin("list_disputes", &TenantSet::one(tenant)).await?;
        let mut rows = ownership::list(&mut tx, tenant, lead, open_only, page.after, page.limit()).await?;
        let next_page_token = page.cut(&self.pages, &mut rows, |row| row.dispute_id);
        Ok(ListDisputesResponse {
            disputes: rows.iter().map(convert::ownership::dispute).collect(),
            next_page_token,
        })
    }
}

/// Locks a lead, or the one that it was merged into.
async fn lock_survivor(tx: &mut PgConnection, caller: &Caller, lead: LeadId) -> Result<LeadRow, Error> {
    let found = leads::find_survivor(tx, &caller.tenant, lead).await?;
    let found = found.ok_or_else(|| Error::NotFound(lead.to_string()))?;
    lock(tx, caller, LeadId(found.lead_id)).await
}

/// Returns the team of a member who works here.
fn team_of(setup: &Setup, member: &MemberId) -> Result<TeamId, Error> {
    match setup.directory.find_member(member).filter(|member| member.active) {
        Some(member) => Ok(member.team.clone()),
        None => Err(Error::WrongState(format!("{member} does not work here"))),
    }
}

async fn shown(
    tx: &mut PgConnection,
    tenant: &TenantId,
    id: DisputeId,
) -> Result<reflex_proto::leads::v1::Dispute, Error> {
    let found: Option<DisputeRow> = ownership::find(tx, tenant, id).await?;
    let found = found.ok_or_else(|| Error::NotFound(id.to_string()))?;
    Ok(convert::ownership::dispute(&found))
}

fn caller_member(caller: &Caller) -> Option<MemberId> {
    caller.member.as_deref().and_then(|name| name.parse().ok())
}

fn check_reason(reason: &str) -> Result<(), Error> {
    if reason.trim().is_empty() || reason.chars().count() > 500 {
        return Err(Error::invalid("reason", "must be 1 to 500 characters"));
    }
    Ok(())
}
