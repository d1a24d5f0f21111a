//! One golden lead whose life is followed: given back at once, routed to somebody else, who calls too late.

use std::{collections::HashSet, time::Duration};

use anyhow::{Context, bail};
use jiff::SignedDuration;
use reflex_proto::leads::v1::{
    GetLeadRequest, Lead, ListLeadsRequest, ReleaseLeadRequest, claim_service_client::ClaimServiceClient, lead,
    lead_service_client::LeadServiceClient,
};
use reflex_runtime::ids::SystemIds;
use reflex_tenancy::TenantId;
use tokio::time::{Instant, sleep};

use super::{
    book::instant,
    is_golden,
    patience::patiently,
    salespeople::{Person, call},
    stage::Stage,
};

/// How often we look.
const LOOK: Duration = Duration::from_millis(300);
/// How long something may take that takes less than a second.
const LIMIT: Duration = Duration::from_mins(1);
/// How long after the contact was due the call comes: after the owner's reminder, before the supervisor's.
const LATE: SignedDuration = SignedDuration::from_secs(2);

/// The lead the story is about.
#[derive(Debug)]
pub(super) struct Protagonist {
    /// Its subsidiary.
    pub(super) tenant: TenantId,
    /// Its number.
    pub(super) number: String,
    /// The team that has it in the end.
    pub(super) team: String,
}

/// Plays the story with the first lead that suits it.
pub(super) async fn play(stage: &Stage, callers: &HashSet<Person>) -> anyhow::Result<Protagonist> {
    let tenant = stage.tenants().first().context("there is a subsidiary")?;
    let everybody = LeadServiceClient::new(stage.leads(tenant)?);

    let start = Instant::now();
    let lead = loop {
        let request = ListLeadsRequest {
            page_size: 100,
            state: lead::State::Assigned.into(),
            ..Default::default()
        };
        let leads = patiently(async || everybody.clone().list_leads(request.clone()).await)
            .await?
            .leads;
        // The owner must be one who leaves leads alone, else two would work on it.
        let is_left_alone = |lead: &Lead| {
            !callers.contains(&Person {
                tenant: tenant.clone(),
                member: lead.owner.clone(),
            }) && is_golden(lead)
        };
        if let Some(lead) = leads.into_iter().find(is_left_alone) {
            break lead;
        }
        wait(start, "no golden lead came to somebody who leaves leads alone").await?;
    };
    let release = ReleaseLeadRequest {
        name: lead.name.clone(),
        fencing_token: lead.fencing_token,
        reason: "客户在外省，请就近同事跟进".to_owned(),
        request_id: stage.request_id(),
        ..ReleaseLeadRequest::default()
    };
    let client = ClaimServiceClient::new(stage.leads_as(tenant, &lead.owner)?);
    patiently(async || client.clone().release_lead(release.clone()).await).await?;
    stage.tell(&format!("{}: {} gives {} back", tenant, lead.owner, lead.number));

    let start = Instant::now();
    let lead = loop {
        let request = GetLeadRequest {
            name: lead.name.clone(),
        };
        let found = patiently(async || everybody.clone().get_lead(request.clone()).await).await?;
        let found = found.lead.context("the lead is gone")?;
        if !found.owner.is_empty() {
            break found;
        }
        wait(start, "a lead that was given back found nobody else").await?;
    };
    stage.tell(&format!("{}: it goes to {}, who is in no hurry", tenant, lead.owner));
    let late = instant(lead.contact_due_time).context("its clock runs")? + LATE;
    while stage.now() < late {
        sleep(LOOK).await;
    }
    call(&stage.leads_as(tenant, &lead.owner)?, &lead, &SystemIds).await?;
    stage.tell(&format!("{}: {} calls {} too late", tenant, lead.owner, lead.number));
    Ok(Protagonist {
        tenant: tenant.clone(),
        number: lead.number,
        team: lead.team,
    })
}

async fn wait(start: Instant, failure: &'static str) -> anyhow::Result<()> {
    if start.elapsed() > LIMIT {
        bail!(failure);
    }
    sleep(LOOK).await;
    Ok(())
}
