//! Maps of who decides about leads: begun by the first contact, filled by salespeople, found overdue by a timer.

use jiff::Timestamp;
use reflex_pg::once::{self, Once};
use reflex_proto::leads::v1::{
    DecisionMap, GetDecisionMapPolicyResponse, GetDecisionMapRequest, GetDecisionMapResponse, LeadDecisionMapOverdue,
    ListOverdueDecisionMapsRequest, ListOverdueDecisionMapsResponse, PutDecisionMapPolicyRequest,
    PutDecisionMapPolicyResponse, PutDecisionRoleRequest, PutDecisionRoleResponse,
};
use reflex_rpc::{identity::Caller, request_id::RequestId};
use reflex_runtime::telemetry;
use reflex_tenancy::{TenantId, TenantSet};
use reflex_timers::Timer;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use tracing::warn;
use uuid::Uuid;

use super::{
    App,
    claim_lead::{acting_member, lead_name, lock},
    fire_timers::{FireError, LeadTimers},
    paging::Page,
};
use crate::{
    convert,
    domain::{
        decision_map::{Reached, missing},
        ids::{LeadId, MemberId},
        ladder::Audience,
        lead::State,
    },
    error::Error,
    events,
    store::{
        decision_maps::{self, MapRow, ReachedRow},
        leads,
    },
};

/// Timer of a map that is due.
pub(crate) const DECISION_MAP_DUE: &str = "decision_map_due";

/// What such a timer remembers.
#[derive(Debug, Serialize, Deserialize)]
struct MapDue {
    lead: LeadId,
}

impl App {
    /// Sets the policy.
    ///
    /// # Errors
    /// [`Error::Violations`].
    pub(crate) async fn put_decision_map_policy(
        &self,
        caller: &Caller,
        request: &PutDecisionMapPolicyRequest,
    ) -> Result<PutDecisionMapPolicyResponse, Error> {
        let sent = request.policy.as_ref();
        let sent = sent.ok_or_else(|| Error::invalid("policy", "must be given"))?;
        let raw = convert::decision_map::raw_policy(sent).map_err(|violation| vec![violation])?;
        let policy = raw.parse()?;
        let request_id = RequestId::parse(&request.request_id)?;
        let tenant = &caller.tenant;
        let mut tx = self
            .db
            .begin("put_decision_map_policy", &TenantSet::one(tenant))
            .await?;
        let claim = match once::claim(&mut tx, tenant, "put_decision_map_policy", request_id, request).await? {
            Once::Answered(response) => return Ok(response),
            Once::New(claim) => claim,
        };
        let update_time = match decision_maps::find_policy(&mut tx, tenant).await? {
            Some((before, at)) if before == policy => at,
            _ => {
                let now = self.clock.now();
                decision_maps::put_policy(&mut tx, tenant, &policy, now).await?;
                now
            }
        };
        let response = PutDecisionMapPolicyResponse {
            policy: Some(convert::decision_map::policy(&policy, update_time)),
        };
        claim.answer(&mut tx, &response).await?;
        tx.commit().await?;
        Ok(response)
    }

    /// Returns the policy.
    ///
    /// # Errors
    /// [`Error::NotFound`] while there is none.
    pub(crate) async fn get_decision_map_policy(&self, caller: &Caller) -> Result<GetDecisionMapPolicyResponse, Error> {
        let tenant = &caller.tenant;
        let mut tx = self
            .db
            .begin("get_decision_map_policy", &TenantSet::one(tenant))
            .await?;
        let stored = decision_maps::find_policy(&mut tx, tenant).await?;
        let (policy, at) = stored.ok_or_else(|| Error::NotFound("a decision map policy".into()))?;
        Ok(GetDecisionMapPolicyResponse {
            policy: Some(convert::decision_map::policy(&policy, at)),
        })
    }

    /// Begins the map of a locked lead that was contacted for the first time, where the tenant wants one.
    pub(super) async fn begin_decision_map(
        &self,
        tx: &mut PgConnection,
        tenant: &TenantId,
        lead: LeadId,
        (member, contact): (&MemberId, Timestamp),
    ) -> Result<(), Error> {
        let policy = decision_maps::find_policy(tx, tenant).await?;
        let Some((policy, _)) = policy.filter(|(policy, _)| policy.enabled) else {
            return Ok(());
        };
        let setup = self.setups.get(tx, tenant).await?;
        let due = match policy.due(contact, &setup.calendar_of(member)) {
            Ok(due) => due,
            Err(error) => {
                warn!(%tenant, %lead, %error, "a decision map is not begun, as the calendar ends before it is due");
                return Ok(());
            }
        };
        if decision_maps::insert(tx, tenant, lead, &policy.roles, (contact, due)).await? {
            let timer = Timer {
                tenant: tenant.clone(),
                kind: DECISION_MAP_DUE.to_owned(),
                key: lead.to_string(),
                due_time: due,
                payload: serde_json::to_value(&MapDue { lead }).expect("plain data becomes JSON"),
                traceparent: telemetry::current_traceparent(),
            };
            reflex_timers::set(tx, &[timer]).await?;
        }
        Ok(())
    }

    /// Records who was reached.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Violations`], [`Error::WrongState`] for a closed lead, [`Error::Denied`].
    pub(crate) async fn put_decision_role(
        &self,
        caller: &Caller,
        request: &PutDecisionRoleRequest,
    ) -> Result<PutDecisionRoleResponse, Error> {
        let sent = request.role.as_ref();
        let sent = sent.ok_or_else(|| Error::invalid("role", "must be given"))?;
        let id = lead_name("lead", &request.lead)?;
        let member = acting_member(caller, "role.member", &sent.member)?;
        let request_id = RequestId::parse(&request.request_id)?;
        let (tenant, now) = (&caller.tenant, self.clock.now());
        let mut tx = self.db.begin("put_decision_role", &TenantSet::one(tenant)).await?;
        let claim = match once::claim(&mut tx, tenant, "put_decision_role", request_id, request).await? {
            Once::Answered(response) => return Ok(response),
            Once::New(claim) => claim,
        };
        // The lock that the timer takes, too: either it finds the map complete, or this comes after it.
        let lead = lock(&mut tx, caller, id).await?;
        if lead.state() == State::Closed {
            return Err(Error::WrongState("the lead is closed".into()));
        }
        let map = decision_maps::find(&mut tx, tenant, id).await?;
        let map = map.ok_or_else(|| Error::NotFound(format!("a decision map of {id}")))?;
        let row = ReachedRow {
            reached: convert::decision_map::raw_reached(sent).parse(&map.roles)?,
            member,
            time: now,
        };
        decision_maps::put_role(&mut tx, tenant, id, &row).await?;
        if left(&mut tx, tenant, &map).await?.is_empty() {
            decision_maps::set_times(&mut tx, tenant, id, (Some(now), None)).await?;
        }
        let response = PutDecisionRoleResponse {
            map: Some(shown(&mut tx, tenant, id).await?),
        };
        claim.answer(&mut tx, &response).await?;
        tx.commit().await?;
        Ok(response)
    }

    /// Returns the map of a lead.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Violations`].
    pub(crate) async fn get_decision_map(
        &self,
        caller: &Caller,
        request: &GetDecisionMapRequest,
    ) -> Result<GetDecisionMapResponse, Error> {
        let id = lead_name("lead", &request.lead)?;
        let tenant = &caller.tenant;
        let mut tx = self.db.begin("get_decision_map", &TenantSet::one(tenant)).await?;
        let lead = leads::find_survivor(&mut tx, tenant, id).await?;
        let lead = lead.ok_or_else(|| Error::NotFound(id.to_string()))?;
        Ok(GetDecisionMapResponse {
            map: Some(shown(&mut tx, tenant, LeadId(lead.lead_id)).await?),
        })
    }

    /// Lists the maps that are overdue.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::Refused`] for a page token of another query.
    pub(crate) async fn list_overdue_decision_maps(
        &self,
        caller: &Caller,
        request: &ListOverdueDecisionMapsRequest,
    ) -> Result<ListOverdueDecisionMapsResponse, Error> {
        let tenant = &caller.tenant;
        let query = ("overdue_decision_maps", tenant.as_str());
        let page: Page<_, (Timestamp, Uuid)> =
            Page::parse(&self.pages, query, request.page_size, &request.page_token, 500)?;
        let mut tx = self
            .db
            .begin("list_overdue_decision_maps", &TenantSet::one(tenant))
            .await?;
        let mut rows = decision_maps::list_overdue(&mut tx, tenant, page.after, page.limit()).await?;
        let next_page_token = page.cut(&self.pages, &mut rows, |row| (row.due_time.to_jiff(), row.lead_id));
        let bare = |row: &MapRow| DecisionMap {
            missing_roles: Vec::new(),
            ..convert::decision_map::map(row, &[])
        };
        Ok(ListOverdueDecisionMapsResponse {
            maps: rows.iter().map(bare).collect(),
            next_page_token,
        })
    }
}

impl LeadTimers {
    /// Finds a map that is due complete, or overdue.
    pub(super) async fn map_due(&self, tx: &mut PgConnection, timer: &Timer) -> Result<(), FireError> {
        let due: MapDue = serde_json::from_value(timer.payload.clone())?;
        let tenant = &timer.tenant;
        let Some(lead) = leads::find_for_update(tx, tenant, due.lead).await? else {
            return Ok(());
        };
        let Some(map) = decision_maps::find(tx, tenant, due.lead).await? else {
            return Ok(());
        };
        let is_over = !lead.state().is_open() || lead.merged_into.is_some();
        if is_over || map.complete_time.is_some() || map.overdue_time.is_some() {
            return Ok(());
        }
        let now = self.0.clock.now();
        let missing_roles = left(tx, tenant, &map).await?;
        if missing_roles.is_empty() {
            // What a merged lead brought along has completed it.
            decision_maps::set_times(tx, tenant, due.lead, (Some(now), None)).await?;
            return Ok(());
        }
        decision_maps::set_times(tx, tenant, due.lead, (None, Some(now))).await?;
        let setup = self.0.setups.get(tx, tenant).await?;
        let supervisor = self.recipient(&setup, &lead, Audience::Supervisor);
        let told = LeadDecisionMapOverdue {
            lead: due.lead.to_string(),
            number: lead.number_text(),
            owner: lead.owner().map(|owner| owner.to_string()).unwrap_or_default(),
            supervisor: supervisor.map(|it| it.member.to_string()).unwrap_or_default(),
            missing_roles,
            due_time: Some(convert::timestamp(map.due_time.to_jiff())),
        };
        self.tell(tx, timer, events::LEAD_DECISION_MAP_OVERDUE, due.lead, &told)
            .await
    }
}

/// Lists the roles of a map that are left.
async fn left(tx: &mut PgConnection, tenant: &TenantId, map: &MapRow) -> Result<Vec<String>, reflex_pg::DbError> {
    let rows = decision_maps::list_roles(tx, tenant, LeadId(map.lead_id)).await?;
    let reached: Vec<Reached> = rows.into_iter().map(|row| row.reached).collect();
    Ok(missing(&map.roles, &reached))
}

async fn shown(tx: &mut PgConnection, tenant: &TenantId, lead: LeadId) -> Result<DecisionMap, Error> {
    let map = decision_maps::find(tx, tenant, lead).await?;
    let map = map.ok_or_else(|| Error::NotFound(format!("a decision map of {lead}")))?;
    let rows = decision_maps::list_roles(tx, tenant, lead).await?;
    Ok(convert::decision_map::map(&map, &rows))
}
