//! Salespeople with tokens of their own: every second one calls, the others leave their leads alone, one is on leave.

use std::{collections::HashSet, time::Duration};

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};
use reflex_proto::leads::v1::{
    ClaimLeadRequest, FollowUp, Lead, Leave, ListLeadsRequest, ListMembersRequest, PutLeaveRequest,
    RecordFollowUpRequest, claim_service_client::ClaimServiceClient, directory_service_client::DirectoryServiceClient,
    follow_up, follow_up_service_client::FollowUpServiceClient, lead, lead_service_client::LeadServiceClient, member,
};
use reflex_runtime::{
    clock::{Clock as _, SystemClock},
    ids::{IdSource, SystemIds},
};
use reflex_tenancy::TenantId;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{book::instant, is_golden, patience::patiently, stage::Stage};
use crate::suite::Wire;

/// Who is on leave for the whole demo.
const ON_LEAVE: &str = "members/xu.zhihao";
/// How often somebody looks for new leads.
const LOOK: Duration = Duration::from_secs(1);
/// How late a late call is: after the first step of the golden ladder, before its second.
const LATE: SignedDuration = SignedDuration::from_millis(1_500);
/// Of their ordinary leads they call one in so many; there are more than anybody calls in a minute.
const ORDINARY_SHARE: u64 = 3;

/// Somebody of a subsidiary.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Person {
    /// The subsidiary.
    pub(super) tenant: TenantId,
    /// "members/{member}".
    pub(super) member: String,
}

/// What the callers did.
#[derive(Debug, Default)]
pub(super) struct Calls {
    /// Callers.
    pub(super) people: usize,
    /// Calls in all.
    pub(super) recorded: usize,
    /// Calls that stopped a clock.
    pub(super) clocks_stopped: usize,
}

/// Sends somebody on leave before the first lead comes.
pub(super) async fn send_on_leave(stage: &Stage) -> anyhow::Result<Person> {
    let tenant = stage.tenants().first().context("there is a subsidiary")?.clone();
    let leave = Leave {
        member: ON_LEAVE.to_owned(),
        start_time: Some(timestamp(stage.now() - SignedDuration::from_hours(1))),
        end_time: Some(timestamp(stage.now() + SignedDuration::from_hours(72))),
        reason: "年假".to_owned(),
        ..Leave::default()
    };
    let request = PutLeaveRequest {
        leave: Some(leave),
        request_id: stage.request_id(),
    };
    let client = DirectoryServiceClient::new(stage.leads(&tenant)?);
    patiently(async || client.clone().put_leave(request.clone()).await)
        .await
        .context("a leave")?;
    stage.tell(&format!("{tenant}: {ON_LEAVE} is on leave"));
    Ok(Person {
        tenant,
        member: ON_LEAVE.to_owned(),
    })
}

/// Chooses who calls: every second salesperson of each subsidiary, in order of name.
pub(super) async fn callers(stage: &Stage) -> anyhow::Result<HashSet<Person>> {
    let mut callers = HashSet::new();
    for tenant in stage.tenants() {
        let request = ListMembersRequest {
            page_size: 1000,
            ..ListMembersRequest::default()
        };
        let client = DirectoryServiceClient::new(stage.leads(tenant)?);
        let members = patiently(async || client.clone().list_members(request.clone()).await)
            .await?
            .members;
        let sales = members
            .into_iter()
            .filter(|member| member.role() == member::Role::Sales);
        callers.extend(sales.step_by(2).map(|member| Person {
            tenant: tenant.clone(),
            member: member.name,
        }));
    }
    Ok(callers)
}

/// Lets the callers work until they are stopped.
pub(super) async fn work(stage: &Stage, callers: &HashSet<Person>, stop: &CancellationToken) -> anyhow::Result<Calls> {
    let mut working = Vec::new();
    for person in callers {
        let wire = stage.leads_as(&person.tenant, &person.member)?;
        let caller = Caller {
            member: person.member.clone(),
            wire,
            clock: SystemClock::new(),
            ids: SystemIds,
        };
        working.push(caller.work(stop));
    }
    stage.tell(&format!(
        "{} salespeople call, the others leave their leads alone",
        callers.len()
    ));
    let calls = futures_util::future::try_join_all(working).await?;
    Ok(Calls {
        people: calls.len(),
        recorded: calls.iter().map(|calls| calls.recorded).sum(),
        clocks_stopped: calls.iter().map(|calls| calls.clocks_stopped).sum(),
    })
}

/// One who calls.
struct Caller {
    member: String,
    wire: Wire,
    clock: SystemClock,
    ids: SystemIds,
}

impl Caller {
    async fn work(self, stop: &CancellationToken) -> anyhow::Result<Calls> {
        let mut calls = Calls::default();
        while !stop.is_cancelled() {
            for lead in self.to_be_called().await? {
                let stopped = call(&self.wire, &lead, &self.ids).await?;
                calls.recorded += 1;
                calls.clocks_stopped += usize::from(stopped);
            }
            sleep(LOOK).await;
        }
        Ok(calls)
    }

    /// Returns the leads that this person calls now, the most urgent first.
    async fn to_be_called(&self) -> anyhow::Result<Vec<Lead>> {
        let request = ListLeadsRequest {
            page_size: 1000,
            owner: self.member.clone(),
            state: lead::State::Assigned.into(),
            ..ListLeadsRequest::default()
        };
        let client = LeadServiceClient::new(self.wire.clone());
        let mut leads = patiently(async || client.clone().list_leads(request.clone()).await)
            .await?
            .leads;
        let now = self.clock.now();
        // A lead that somebody gave back is the one the story is about.
        leads.retain(|lead| lead.fencing_token == 1 && call_time(lead).is_some_and(|time| time <= now));
        leads.sort_by_key(|lead| instant(lead.contact_due_time));
        Ok(leads)
    }
}

/// Returns when the owner calls a lead, if ever: of the golden ones half at once and half too late.
fn call_time(lead: &Lead) -> Option<Timestamp> {
    let number: u64 = lead.number.trim_start_matches('L').parse().ok()?;
    let assigned = instant(lead.assign_time)?;
    match (is_golden(lead), number.is_multiple_of(2)) {
        (true, true) => Some(assigned),
        (true, false) => Some(instant(lead.contact_due_time)? + LATE),
        (false, _) => number.is_multiple_of(ORDINARY_SHARE).then_some(assigned),
    }
}

/// Claims a lead and records a call; tells whether the call stopped the lead's clock.
pub(super) async fn call(wire: &Wire, lead: &Lead, ids: &impl IdSource) -> anyhow::Result<bool> {
    let claim = ClaimLeadRequest {
        name: lead.name.clone(),
        fencing_token: lead.fencing_token,
        request_id: ids.next().to_string(),
        ..ClaimLeadRequest::default()
    };
    let client = ClaimServiceClient::new(wire.clone());
    patiently(async || client.clone().claim_lead(claim.clone()).await)
        .await
        .with_context(|| format!("claiming {}", lead.number))?;
    let follow_up = FollowUp {
        lead: lead.name.clone(),
        kind: follow_up::Kind::Call.into(),
        attitude: follow_up::Attitude::Undecided.into(),
        next_action: "发送资料并预约演示".to_owned(),
        ..FollowUp::default()
    };
    let record = RecordFollowUpRequest {
        follow_up: Some(follow_up),
        request_id: ids.next().to_string(),
    };
    let client = FollowUpServiceClient::new(wire.clone());
    let recorded = patiently(async || client.clone().record_follow_up(record.clone()).await)
        .await
        .with_context(|| format!("recording a call of {}", lead.number))?;
    Ok(recorded.clock_stopped)
}

fn timestamp(time: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: time.as_second(),
        nanos: time.subsec_nanosecond(),
    }
}
