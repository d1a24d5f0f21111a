//! Everything that is there after a run.

use std::collections::{HashMap, HashSet};

use prost::Message as _;
use reflex_proto::{
    leads::v1::{
        Lead, ListLeadsRequest, ListMembersRequest, Member, RoutingDecision,
        directory_service_client::DirectoryServiceClient, lead_service_client::LeadServiceClient,
    },
    notifications::v1::{ListMessagesRequest, Message, message_service_client::MessageServiceClient},
    platform::v1::{ListDeadLettersRequest, dead_letter_service_client::DeadLetterServiceClient},
};
use reflex_rpc::identity::Role;
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgPool, postgres::PgPoolOptions};
use uuid::Uuid;

use crate::{
    installation::{Installation, Servers},
    script::Script,
};

/// Rows a page.
const PAGE: i32 = 1_000;

/// The databases of both services, opened by their owner, who sees everything.
pub(super) struct Databases {
    leads: PgPool,
    notifications: PgPool,
}

/// What is there; pairs begin with the tenant.
pub(super) struct Facts {
    pub(super) leads: Vec<(String, Lead)>,
    pub(super) members: Vec<(String, Member)>,
    pub(super) messages: Vec<(String, Message)>,
    /// What leads has told, in order.
    pub(super) events: Vec<Event>,
    /// Events whose effect notifications has committed.
    pub(super) applied: HashSet<Uuid>,
    pub(super) inboxes: Vec<Inbox>,
    pub(super) steps: Vec<Step>,
    /// Leads and the records of their calls.
    pub(super) follow_ups: Vec<(String, String)>,
    pub(super) dead_letters: Vec<String>,
    /// Who was chosen, by tenant and lead.
    choices: HashMap<(String, String), Vec<String>>,
}

/// A fact that leads has told.
#[derive(FromRow)]
pub(super) struct Event {
    /// Its place: facts about one lead are written under the lead's lock, so this is the order of their effects.
    pub(super) id: i64,
    #[sqlx(rename = "tenant_id")]
    pub(super) tenant: String,
    #[sqlx(rename = "event_id")]
    pub(super) uuid: Uuid,
    pub(super) kind: String,
    pub(super) subject: String,
    data: Vec<u8>,
}

/// What an inbox should count up to.
#[derive(Debug, FromRow)]
#[expect(dead_code, reason = "whose it is, is for those who read the finding")]
pub(super) struct Inbox {
    tenant_id: String,
    recipient: String,
    pub(super) items: i64,
    pub(super) messages: i64,
    pub(super) last_sequence: i64,
}

/// A step of a ladder that was taken.
#[derive(FromRow)]
pub(super) struct Step {
    pub(super) lead: String,
    #[sqlx(rename = "step")]
    pub(super) number: i16,
    pub(super) has_recipient: bool,
    pub(super) after_call: bool,
}

/// Returns the facts of one kind, read.
pub(super) fn of_kind<'a, M: prost::Message + Default>(
    events: &'a [Event],
    kind: &'a str,
) -> impl Iterator<Item = (&'a Event, M)> {
    let events = events.iter().filter(move |event| event.kind == kind);
    events.map(|event| (event, M::decode(event.data.as_slice()).unwrap()))
}

/// What notifications applies; other facts mean nothing to it.
pub(super) const APPLIED: [&str; 5] = [
    "reflex.leads.v1.MemberChanged",
    "reflex.leads.v1.LeadAssigned",
    "reflex.leads.v1.LeadEscalated",
    "reflex.leads.v1.ClaimExpired",
    "reflex.leads.v1.LeadFirstContacted",
];

impl Databases {
    pub(super) fn open(servers: &Servers) -> Self {
        let pool = |url: &str| PgPoolOptions::new().max_connections(2).connect_lazy(url).unwrap();
        Self {
            leads: pool(&servers.leads),
            notifications: pool(&servers.notifications),
        }
    }

    /// Returns what is still to be done, with how much of it.
    pub(super) async fn work_left(&self) -> Vec<(String, i64)> {
        let mut left: Vec<(String, i64)> = sqlx::query_as(
            "select 'leads to be routed', count(*) from leads where state in ('captured', 'queued')
             union all select 'reasons to look at waiting leads', count(*) from reroute_requests
             union all select 'facts of leads to be relayed', count(*) from outbox_pending
             union all select 'steps of ladders', count(*) from timers
                 where kind = 'ladder_step' and due_time < now() + interval '1 minute'",
        )
        .fetch_all(&self.leads)
        .await
        .unwrap();
        let unrelayed: i64 = sqlx::query_scalar("select count(*) from outbox_pending")
            .fetch_one(&self.notifications)
            .await
            .unwrap();
        left.push(("facts to be applied".into(), self.under_way().await));
        left.push(("facts of notifications to be relayed".into(), unrelayed));
        left.retain(|(_, count)| *count > 0);
        left
    }

    /// Returns how many facts of leads notifications has not applied yet.
    pub(super) async fn under_way(&self) -> i64 {
        let count = async |sql, pool| sqlx::query_scalar::<_, i64>(sql).fetch_one(pool).await.unwrap();
        let applied = count("select count(*) from inbox", &self.notifications).await;
        let told = sqlx::query_scalar::<_, i64>("select count(*) from outbox where kind = any ($1)");
        told.bind(APPLIED.as_slice()).fetch_one(&self.leads).await.unwrap() - applied
    }
}

impl Facts {
    pub(super) async fn read(installation: &Installation, script: &Script) -> Self {
        let Databases { leads, notifications } = Databases::open(&installation.servers());
        let mut facts = Self {
            leads: Vec::new(),
            members: Vec::new(),
            messages: Vec::new(),
            events: sqlx::query_as("select id, tenant_id, event_id, kind, subject, data from outbox order by id")
                .fetch_all(&leads)
                .await
                .unwrap(),
            applied: sqlx::query_scalar("select event_id from inbox")
                .fetch_all(&notifications)
                .await
                .unwrap()
                .into_iter()
                .collect(),
            inboxes: sqlx::query_as(
                "select tenant_id, recipient, count(*) as items, count(distinct message) as messages,
                     max(sequence) as last_sequence
                 from inbox_items group by tenant_id, recipient",
            )
            .fetch_all(&notifications)
            .await
            .unwrap(),
            steps: sqlx::query_as(
                "select 'leads/' || lead_id as lead, step, recipient is not null as has_recipient,
                     coalesce(escalate_time > first_contact_time, false) as after_call
                 from escalations join leads using (tenant_id, lead_id) order by lead_id, step",
            )
            .fetch_all(&leads)
            .await
            .unwrap(),
            follow_ups: sqlx::query_as("select 'leads/' || lead_id, 'followUps/' || follow_up_id from follow_ups")
                .fetch_all(&leads)
                .await
                .unwrap(),
            dead_letters: Vec::new(),
            choices: choices(&leads).await,
        };
        for pool in [&leads, &notifications] {
            let letters = sqlx::query_scalar("select kind || ': ' || reason from dead_letters")
                .fetch_all(pool)
                .await;
            facts.dead_letters.extend(letters.unwrap());
        }
        for tenant in &script.tenants {
            facts.ask(installation, tenant).await;
        }
        facts
    }

    /// Returns who was chosen for a lead, in the order of the decisions; decisions to let it wait are left out.
    pub(super) fn choices_about(&self, tenant: &str, lead: &str) -> impl Iterator<Item = &str> {
        let choices = self.choices.get(&(tenant.to_owned(), lead.to_owned()));
        choices.into_iter().flatten().map(String::as_str)
    }

    async fn ask(&mut self, installation: &Installation, tenant: &TenantId) {
        let leads = installation.leads(tenant, Role::Admin);
        let notifications = installation.notifications(tenant, Role::Admin);
        let mut page_token = String::new();
        loop {
            let request = ListLeadsRequest {
                page_size: PAGE,
                page_token,
                ..ListLeadsRequest::default()
            };
            let page = LeadServiceClient::new(leads.clone())
                .list_leads(request)
                .await
                .unwrap()
                .into_inner();
            self.leads
                .extend(page.leads.into_iter().map(|lead| (tenant.to_string(), lead)));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        loop {
            let request = ListMessagesRequest {
                page_size: PAGE,
                page_token,
                ..ListMessagesRequest::default()
            };
            let mut service = MessageServiceClient::new(notifications.clone());
            let page = service.list_messages(request).await.unwrap().into_inner();
            self.messages
                .extend(page.messages.into_iter().map(|message| (tenant.to_string(), message)));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        let request = ListMembersRequest::default();
        let members = DirectoryServiceClient::new(leads)
            .list_members(request)
            .await
            .unwrap()
            .into_inner()
            .members;
        self.members
            .extend(members.into_iter().map(|member| (tenant.to_string(), member)));
        let request = ListDeadLettersRequest::default();
        let mut service = DeadLetterServiceClient::new(notifications);
        let letters = service
            .list_dead_letters(request)
            .await
            .unwrap()
            .into_inner()
            .dead_letters;
        self.dead_letters.extend(
            letters
                .into_iter()
                .map(|letter| format!("{}: {}", letter.r#type, letter.reason)),
        );
    }
}

async fn choices(leads: &PgPool) -> HashMap<(String, String), Vec<String>> {
    let rows: Vec<(String, String, Vec<u8>)> = sqlx::query_as(
        "select tenant_id, 'leads/' || lead_id, decision from routing_decisions order by decide_time, decision_id",
    )
    .fetch_all(leads)
    .await
    .unwrap();
    let mut choices: HashMap<(String, String), Vec<String>> = HashMap::new();
    for (tenant, lead, decision) in rows {
        let decision = RoutingDecision::decode(decision.as_slice()).unwrap();
        if !decision.chosen.is_empty() {
            choices.entry((tenant, lead)).or_default().push(decision.chosen);
        }
    }
    choices
}
