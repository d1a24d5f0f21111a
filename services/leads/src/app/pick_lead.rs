//! Picking a waiting lead from the pool.
//!
//! A pick holds the lock of the tenant's setup, which routing shares: neither gives what the other has given, and nobody
//! gets more than they can hold.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use reflex_proto::leads::v1::{
    LeadAssigned, LeadClaimed, PickLeadRequest, PickLeadResponse, RoutingDecision, routing_decision::Candidate,
};
use reflex_rpc::identity::Caller;
use reflex_runtime::telemetry;

use super::{
    App,
    change_setup::{Begun, Change},
    claim_lead::{acting_member, lead_name, lock},
    lead_facts,
    pool_clocks::{self, RecycleDue},
};
use crate::{
    convert,
    domain::{
        assign::Snapshot,
        decision::{ChosenBy, Exclusion, Trigger},
        ids::{CalendarId, LeadId, MemberId},
        lead::State,
        member::Member,
        pool::{Ownership, Pool, business_day},
        routing::Policy,
        violation::Violation,
    },
    error::{Error, Obstacle},
    events,
    store::{
        decisions,
        history::{self, Entry},
        leads::{self, LeadRow},
        members, pools,
    },
};

/// A pick that nothing stands in the way of.
struct Pick<'a> {
    lead: &'a LeadRow,
    member: &'a Member,
    /// Leads they held.
    open_leads: u32,
    /// How many they have picked on this business day, this one included, as people read it.
    counted: String,
    now: Timestamp,
}

impl App {
    /// Takes a waiting lead for a member.
    ///
    /// # Errors
    /// [`Error::Obstacles`], [`Error::NotFound`], [`Error::Violations`], [`Error::Denied`].
    pub(crate) async fn pick_lead(
        &self,
        caller: &Caller,
        request: &PickLeadRequest,
    ) -> Result<PickLeadResponse, Error> {
        let id = lead_name("name", &request.name)?;
        let member = acting_member(caller, "member", &request.member)?;
        let mut change = match self
            .begin_change("pick_lead", caller, &request.request_id, request)
            .await?
        {
            Begun::Answered(response) => return Ok(response),
            Begun::New(change) => change,
        };
        let now = self.clock.now();
        let setup = Arc::clone(&change.before);
        let picks_per_day = setup.pool.as_deref().map_or(0, |pool: &Pool| pool.spec().picks_per_day);
        let lead = lock(&mut change.tx, caller, id).await?;
        let found = setup.directory.find_member(&member);
        let picker = found.ok_or_else(|| Error::NotFound(member.to_string()))?;
        let open = members::open_leads(&mut change.tx, &change.tenant).await?;
        let open_leads = open.get(&member).copied().unwrap_or_default();
        let mut obstacles = obstacles(&change, &lead, picker, open, now);
        if picks_per_day == 0 {
            obstacles.insert(
                0,
                obstacle("NO_PICKING", "policy", "the tenant lets nobody pick from the pool"),
            );
        }
        if !obstacles.is_empty() {
            return Err(Error::Obstacles(obstacles));
        }
        let day = business_day(setup.calendar(&CalendarId::default_of_tenant()), now);
        let counted = pools::count_pick(&mut change.tx, &change.tenant, &member, day, picks_per_day).await?;
        let Some(picks) = counted else {
            let spent = format!("{member} has picked {picks_per_day} of {picks_per_day} leads on {day}");
            return Err(Error::Obstacles(vec![obstacle("PICK_LIMIT", "member", &spent)]));
        };
        let pick = Pick {
            lead: &lead,
            member: picker,
            open_leads,
            counted: format!("{picks} of {picks_per_day} on {day}"),
            now,
        };
        self.give(&mut change, caller, &pick).await?;
        let response = PickLeadResponse {
            lead: Some(self.shown(&mut change.tx, caller, id).await?),
            picks,
            picks_per_day,
        };
        self.commit_change(change, &response).await?;
        Ok(response)
    }

    /// Makes the picker the owner.
    async fn give(&self, change: &mut Change, caller: &Caller, pick: &Pick<'_>) -> Result<(), Error> {
        let Pick { lead, member, now, .. } = *pick;
        let (id, tenant) = (LeadId(lead.lead_id), change.tenant.clone());
        let fencing_token = lead.fencing_token + 1;
        let tx = &mut *change.tx;
        pools::pick(tx, &tenant, id, (&member.id, &member.team), now).await?;
        leads::add_open_leads(tx, &tenant, &member.id, 1).await?;
        let policy_version = change.before.policy.as_deref().map_or(0, Policy::version);
        let decision = pick.decision(policy_version);
        decisions::insert(tx, &tenant, id, self.ids.next(), (now, &decision)).await?;
        let entry = Entry {
            lead_id: lead.lead_id,
            id: self.ids.next(),
            time: now,
            kind: "picked",
            member: Some(member.id.clone()),
            detail: pick.counted.clone(),
        };
        history::add(tx, &tenant, &[entry]).await?;
        let held = Ownership {
            owner: member.id.clone(),
            since: now,
            state: if lead.first_contact_time.is_some() {
                State::Contacted
            } else {
                State::Claimed
            },
            last_follow_up: None,
        };
        let of = RecycleDue {
            lead: id,
            fencing_token,
        };
        let traceparent = telemetry::current_traceparent();
        let clock = pool_clocks::first(&change.before, &tenant, &of, &held, traceparent.as_deref());
        reflex_timers::set(tx, clock.as_slice()).await?;
        self.tell(tx, caller, events::LEAD_ASSIGNED, id, &pick.assigned())
            .await?;
        let claimed = LeadClaimed {
            lead: id.to_string(),
            member: member.id.to_string(),
            fencing_token,
        };
        self.tell(tx, caller, events::LEAD_CLAIMED, id, &claimed).await
    }
}

impl Pick<'_> {
    fn decision(&self, policy_version: i32) -> RoutingDecision {
        let member = self.member;
        let count = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        RoutingDecision {
            decide_time: Some(convert::timestamp(self.now)),
            trigger: Trigger::Picked.as_str().to_owned(),
            policy_version,
            team: member.team.to_string(),
            candidates: vec![Candidate {
                member: member.id.to_string(),
                weight: count(member.weight),
                deficit: 0.0,
                open_leads: count(self.open_leads),
                capacity: count(member.capacity),
            }],
            chosen: member.id.to_string(),
            reason: ChosenBy::Picked.as_str().to_owned(),
            ..RoutingDecision::default()
        }
    }

    fn assigned(&self) -> LeadAssigned {
        let lead = self.lead;
        LeadAssigned {
            lead: LeadId(lead.lead_id).to_string(),
            number: lead.number_text(),
            owner: self.member.id.to_string(),
            team: self.member.team.to_string(),
            company: lead.company.clone(),
            contact_name: lead.contact_name.clone(),
            product: lead.product.clone(),
            territory: lead.territory.clone(),
            source: lead.source.clone(),
            fencing_token: lead.fencing_token + 1,
            trigger: Trigger::Picked.as_str().to_owned(),
            capture_time: Some(convert::timestamp(lead.create_time.to_jiff())),
            assign_time: Some(convert::timestamp(self.now)),
            claim_due_time: None,
            contact_due_time: lead.contact_due_time.map(|at| convert::timestamp(at.to_jiff())),
        }
    }
}

/// Lists what stands in the way: that the lead does not wait, or whatever would keep routing from giving it to them,
/// skills and team aside.
fn obstacles(
    change: &Change,
    lead: &LeadRow,
    member: &Member,
    open_leads: HashMap<MemberId, u32>,
    now: Timestamp,
) -> Vec<Obstacle> {
    let mut obstacles = Vec::new();
    if lead.state() != State::Queued {
        let said = format!("the lead is {}", lead.state().as_str());
        obstacles.push(obstacle("NOT_WAITING", "name", &said));
    }
    let setup = &change.before;
    let snapshot = Snapshot {
        directory: Arc::clone(&setup.directory),
        policy: None,
        leaves: Arc::clone(&setup.leaves),
        open_leads,
        turns: HashMap::new(),
        account_owners: HashMap::new(),
        lead_owners: HashMap::new(),
        zone: setup.calendar(&CalendarId::default_of_tenant()).time_zone().clone(),
    };
    let facts = lead_facts::bare(lead, Trigger::Picked);
    if let Some(Exclusion { reason, detail, .. }) = snapshot.exclude(member, &[], &facts, now) {
        let said = format!("{} cannot take the lead: {} {detail}", member.id, reason.as_str());
        obstacles.push(obstacle(reason.code(), "member", said.trim_end()));
    }
    obstacles
}

fn obstacle(code: &'static str, field: &str, description: &str) -> Obstacle {
    Obstacle {
        code,
        violation: Violation {
            field: field.to_owned(),
            description: description.to_owned(),
        },
    }
}
