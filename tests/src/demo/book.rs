//! What the services say happened, read back over their public interfaces.

use std::collections::{BTreeMap, HashMap};

use anyhow::Context;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use reflex_proto::{
    leads::v1::{
        ExplainAssignmentRequest, ExplainAssignmentResponse, Ladder, Lead, ListLaddersRequest, ListLeadsRequest,
        ListMembersRequest, ListTeamsRequest, Member, RoutingDecision, Team,
        directory_service_client::DirectoryServiceClient, lead_service_client::LeadServiceClient,
        routing_service_client::RoutingServiceClient,
    },
    notifications::v1::{
        InboxItem, ListInboxItemsRequest, ListMessagesRequest, Message, inbox_service_client::InboxServiceClient,
        message_service_client::MessageServiceClient,
    },
    platform::v1::{ListDeadLettersRequest, dead_letter_service_client::DeadLetterServiceClient},
};
use reflex_tenancy::TenantId;
use tonic::Status;

use super::{GOLDEN_SECONDS, patience::patiently, stage::Stage};
use crate::{simulator::Stats, suite::Wire};

/// Calls in flight while explanations are fetched.
const AT_ONCE: usize = 16;
/// Largest pages that every list gives.
const PAGE: i32 = 500;
/// First word of a line that a step of a ladder leaves in the history of a lead.
pub(super) const ESCALATED: &str = "escalated";

/// Everything, of all subsidiaries.
pub(super) struct Book {
    /// One chapter a subsidiary.
    pub(super) chapters: Vec<Chapter>,
    /// What the providers say.
    pub(super) providers: Stats,
}

/// Everything of one subsidiary.
pub(super) struct Chapter {
    /// The subsidiary.
    pub(super) tenant: TenantId,
    /// Its teams.
    pub(super) teams: Vec<Team>,
    /// Its members by name.
    pub(super) members: BTreeMap<String, Member>,
    /// Its ladders.
    pub(super) ladders: Vec<Ladder>,
    /// Its leads as listed.
    pub(super) leads: Vec<Lead>,
    /// Why each lead has the owner it has.
    pub(super) explanations: HashMap<String, ExplainAssignmentResponse>,
    /// The ledger of messages.
    pub(super) messages: Vec<Message>,
    /// What is in the inboxes.
    pub(super) items: Vec<InboxItem>,
    /// Events that could not be applied.
    pub(super) dead_letters: usize,
}

impl Book {
    /// Reads everything.
    pub(super) async fn read(stage: &Stage) -> anyhow::Result<Self> {
        let mut chapters = Vec::new();
        for tenant in stage.tenants() {
            let chapter = Chapter::read(stage, tenant).await;
            chapters.push(chapter.with_context(|| format!("reading what happened in {tenant}"))?);
        }
        Ok(Self {
            chapters,
            providers: stage.simulator().stats(),
        })
    }

    /// Returns all leads with their explanations.
    pub(super) fn leads(&self) -> impl Iterator<Item = (&Lead, &ExplainAssignmentResponse)> {
        self.chapters.iter().flat_map(Chapter::explained)
    }

    /// Returns the ledgers of all.
    pub(super) fn messages(&self) -> impl Iterator<Item = &Message> {
        self.chapters.iter().flat_map(|chapter| &chapter.messages)
    }
}

impl Chapter {
    async fn read(stage: &Stage, tenant: &TenantId) -> anyhow::Result<Self> {
        let directory = DirectoryServiceClient::new(stage.leads(tenant)?);
        let request = ListTeamsRequest {
            page_size: PAGE,
            ..ListTeamsRequest::default()
        };
        let teams = patiently(async || directory.clone().list_teams(request.clone()).await)
            .await?
            .teams;
        let request = ListMembersRequest {
            page_size: PAGE,
            ..ListMembersRequest::default()
        };
        let members = patiently(async || directory.clone().list_members(request.clone()).await)
            .await?
            .members;
        let leads = leads(stage, tenant).await?;
        let routing = RoutingServiceClient::new(stage.leads(tenant)?);
        let explanations = stream::iter(leads.iter().map(|lead| lead.name.clone()))
            .map(|name| explain(routing.clone(), name))
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        let inbox = InboxServiceClient::new(stage.notifications(tenant)?);
        let mut items = Vec::new();
        for member in &members {
            items.extend(items_of(&inbox, &member.name).await?);
        }
        Ok(Self {
            tenant: tenant.clone(),
            teams,
            members: members
                .into_iter()
                .map(|member| (member.name.clone(), member))
                .collect(),
            ladders: ladders(stage, tenant).await?,
            leads,
            explanations,
            messages: messages(stage, tenant).await?,
            items,
            dead_letters: dead_letters(stage, tenant).await?,
        })
    }

    /// Returns the leads with their explanations.
    pub(super) fn explained(&self) -> impl Iterator<Item = (&Lead, &ExplainAssignmentResponse)> {
        self.leads.iter().map(|lead| (lead, &self.explanations[&lead.name]))
    }

    /// Returns the ladder of a lead if it is one of the fast ones.
    pub(super) fn fast_ladder(&self, explanation: &ExplainAssignmentResponse) -> Option<&Ladder> {
        let products = &explanation.decisions.first()?.product_path;
        self.ladders
            .iter()
            .find(|ladder| is_fast(ladder) && products.contains(&ladder.product))
    }
}

/// Lists the leads of a subsidiary.
pub(super) async fn leads(stage: &Stage, tenant: &TenantId) -> anyhow::Result<Vec<Lead>> {
    let client = LeadServiceClient::new(stage.leads(tenant)?);
    let page = async |page_token| {
        let request = ListLeadsRequest {
            page_size: PAGE,
            page_token,
            ..ListLeadsRequest::default()
        };
        let page = patiently(async || client.clone().list_leads(request.clone()).await).await?;
        Ok((page.leads, page.next_page_token))
    };
    all_pages(page).await
}

/// Returns how long after the contact is due the last step of the fast ladders comes.
pub(super) async fn last_fast_step(stage: &Stage, tenant: &TenantId) -> anyhow::Result<SignedDuration> {
    let ladders = ladders(stage, tenant).await?;
    let steps = ladders
        .iter()
        .filter(|ladder| is_fast(ladder))
        .flat_map(|ladder| &ladder.steps);
    Ok(steps.map(|step| duration(step.after)).max().unwrap_or_default())
}

fn is_fast(ladder: &Ladder) -> bool {
    ladder.wall_clock && duration(ladder.contact_within).as_secs() <= GOLDEN_SECONDS
}

async fn ladders(stage: &Stage, tenant: &TenantId) -> anyhow::Result<Vec<Ladder>> {
    let request = ListLaddersRequest {
        page_size: PAGE,
        ..ListLaddersRequest::default()
    };
    let client = RoutingServiceClient::new(stage.leads(tenant)?);
    Ok(patiently(async || client.clone().list_ladders(request.clone()).await)
        .await?
        .ladders)
}

async fn explain(
    routing: RoutingServiceClient<Wire>,
    name: String,
) -> anyhow::Result<(String, ExplainAssignmentResponse)> {
    let request = ExplainAssignmentRequest { name: name.clone() };
    let explanation = patiently(async || routing.clone().explain_assignment(request.clone()).await).await?;
    Ok((name, explanation))
}

async fn messages(stage: &Stage, tenant: &TenantId) -> anyhow::Result<Vec<Message>> {
    let client = MessageServiceClient::new(stage.notifications(tenant)?);
    let page = async |page_token| {
        let request = ListMessagesRequest {
            page_size: PAGE,
            page_token,
            ..ListMessagesRequest::default()
        };
        let page = patiently(async || client.clone().list_messages(request.clone()).await).await?;
        Ok((page.messages, page.next_page_token))
    };
    all_pages(page).await
}

async fn items_of(client: &InboxServiceClient<Wire>, recipient: &str) -> anyhow::Result<Vec<InboxItem>> {
    let page = async |page_token| {
        let request = ListInboxItemsRequest {
            recipient: recipient.to_owned(),
            page_size: PAGE,
            page_token,
            ..ListInboxItemsRequest::default()
        };
        let page = patiently(async || client.clone().list_inbox_items(request.clone()).await).await?;
        Ok((page.items, page.next_page_token))
    };
    all_pages(page).await
}

async fn dead_letters(stage: &Stage, tenant: &TenantId) -> anyhow::Result<usize> {
    let client = DeadLetterServiceClient::new(stage.notifications(tenant)?);
    let request = ListDeadLettersRequest {
        page_size: PAGE,
        ..ListDeadLettersRequest::default()
    };
    Ok(
        patiently(async || client.clone().list_dead_letters(request.clone()).await)
            .await?
            .dead_letters
            .len(),
    )
}

pub(super) async fn all_pages<T>(
    page: impl AsyncFn(String) -> Result<(Vec<T>, String), Status>,
) -> anyhow::Result<Vec<T>> {
    let (mut all, mut token) = (Vec::new(), String::new());
    loop {
        let (items, next) = page(token).await?;
        all.extend(items);
        if next.is_empty() {
            return Ok(all);
        }
        token = next;
    }
}

/// Returns the decisions that gave a lead to somebody.
pub(super) fn assignments(explanation: &ExplainAssignmentResponse) -> impl Iterator<Item = &RoutingDecision> {
    explanation
        .decisions
        .iter()
        .filter(|decision| !decision.chosen.is_empty())
}

/// Returns an instant of an answer.
pub(super) fn instant(time: Option<prost_types::Timestamp>) -> Option<Timestamp> {
    time.and_then(|time| Timestamp::new(time.seconds, time.nanos).ok())
}

/// Returns a duration of an answer; nothing is no time.
pub(super) fn duration(duration: Option<prost_types::Duration>) -> SignedDuration {
    duration
        .map(|duration| SignedDuration::new(duration.seconds, duration.nanos))
        .unwrap_or_default()
}
