//! A tenant of sales people on a suite of its own, and what the stories ask about it.

use std::sync::Arc;

use redis::{
    AsyncCommands as _,
    aio::MultiplexedConnection,
    streams::{StreamInfoGroupsReply, StreamInfoStreamReply},
};
use reflex_events::{Redis, STREAM_SHARDS};
use reflex_proto::{
    leads::v1::{
        CaptureLeadRequest, ExplainAssignmentRequest, GetLeadRequest, Lead, LeadHistoryEntry, NewLead,
        lead_service_client::LeadServiceClient, routing_service_client::RoutingServiceClient,
    },
    notifications::v1::{ListMessagesRequest, Message, message_service_client::MessageServiceClient},
    platform::v1::{DeadLetter, ListDeadLettersRequest, dead_letter_service_client::DeadLetterServiceClient},
};
use reflex_rpc::identity::Role;
use reflex_runtime::ids::{IdSource as _, SystemIds};
use reflex_tenancy::TenantId;
use reflex_testing::{FixedClock, eventually};
use reflex_tests::suite::{Suite, Wire};
use secrecy::ExposeSecret as _;
use sqlx::{PgPool, postgres::PgPoolOptions};

/// Those who read the stream of leads for notifications.
pub(crate) const GROUP: &str = "notifications";
/// The stream of leads.
const STREAM: &str = "leads.v1";

pub(crate) struct Scene {
    pub(crate) suite: Suite,
    pub(crate) tenant: TenantId,
    /// The databases, opened by their owner.
    pub(crate) leads_database: PgPool,
    pub(crate) notifications_database: PgPool,
}

impl Scene {
    pub(crate) async fn start() -> Self {
        Self::of(Suite::start().await).await
    }

    /// Starts with a clock that the story moves.
    pub(crate) async fn start_with(clock: &Arc<FixedClock>) -> Self {
        Self::of(Suite::start_with(clock).await).await
    }

    async fn of(suite: Suite) -> Self {
        let tenant: TenantId = "huakang-east".parse().unwrap();
        suite
            .set_up(&tenant, &["members/an", "members/bo", "members/chen"], 10_000)
            .await;
        let open = |url: &str| PgPoolOptions::new().max_connections(2).connect_lazy(url).unwrap();
        let leads_database = open(suite.places.leads.owner_url.expose_secret());
        let notifications_database = open(suite.places.notifications.owner_url.expose_secret());
        Self {
            suite,
            tenant,
            leads_database,
            notifications_database,
        }
    }

    pub(crate) async fn stop(self) {
        self.leads_database.close().await;
        self.notifications_database.close().await;
        self.suite.stop().await;
    }

    pub(crate) fn leads(&self, role: Role) -> Wire {
        self.suite.leads(&self.tenant, role, None)
    }

    pub(crate) fn dead_letter_service(&self) -> DeadLetterServiceClient<Wire> {
        DeadLetterServiceClient::new(self.suite.notifications(&self.tenant, Role::Admin, None))
    }

    /// Captures a lead and returns its name.
    pub(crate) async fn capture(&self, external_id: &str) -> String {
        let request = capture_request(external_id);
        LeadServiceClient::new(self.leads(Role::Integration))
            .capture_lead(request)
            .await
            .unwrap()
            .into_inner()
            .name
    }

    pub(crate) async fn get(&self, name: &str) -> Lead {
        let request = GetLeadRequest { name: name.into() };
        let mut service = LeadServiceClient::new(self.leads(Role::Manager));
        service.get_lead(request).await.unwrap().into_inner().lead.unwrap()
    }

    pub(crate) async fn history(&self, name: &str) -> Vec<LeadHistoryEntry> {
        let request = ExplainAssignmentRequest { name: name.into() };
        let mut service = RoutingServiceClient::new(self.leads(Role::Manager));
        service.explain_assignment(request).await.unwrap().into_inner().history
    }

    /// Returns the messages about a subject, or all.
    pub(crate) async fn messages(&self, subject: &str) -> Vec<Message> {
        let request = ListMessagesRequest {
            page_size: 1_000,
            subject: subject.into(),
            ..ListMessagesRequest::default()
        };
        let wire = self.suite.notifications(&self.tenant, Role::Admin, None);
        MessageServiceClient::new(wire)
            .list_messages(request)
            .await
            .unwrap()
            .into_inner()
            .messages
    }

    /// Waits until the owner of a lead is told, and returns the message.
    pub(crate) async fn announced(&self, lead: &str) -> Message {
        eventually(&format!("the owner of {lead} is told"), async || {
            self.messages(lead).await.pop()
        })
        .await
    }

    pub(crate) async fn dead_letters(&self) -> Vec<DeadLetter> {
        let request = ListDeadLettersRequest::default();
        self.dead_letter_service()
            .list_dead_letters(request)
            .await
            .unwrap()
            .into_inner()
            .dead_letters
    }

    pub(crate) async fn redis(&self) -> MultiplexedConnection {
        let client = redis::Client::open(self.suite.places.redis.url.expose_secret()).unwrap();
        client.get_multiplexed_async_connection().await.unwrap()
    }

    /// Returns the keys of the shards of the stream of leads.
    pub(crate) fn stream_keys(&self) -> Vec<String> {
        let config = &self.suite.places.redis;
        let redis = Redis::new(config.url.expose_secret(), &config.prefix).unwrap();
        (0..STREAM_SHARDS)
            .map(|shard| redis.stream_key(STREAM, shard))
            .collect()
    }

    /// Waits until notifications has read and acknowledged everything in the streams.
    pub(crate) async fn consumed(&self) {
        let mut redis = self.redis().await;
        for key in self.stream_keys() {
            eventually(&format!("{key} is consumed"), async || {
                let stream: StreamInfoStreamReply = redis.xinfo_stream(&key).await.unwrap();
                let groups: StreamInfoGroupsReply = redis.xinfo_groups(&key).await.unwrap();
                let done = |pending, last: &str| pending == 0 && last == stream.last_generated_id;
                let group = groups.groups.iter().find(|group| group.name == GROUP).unwrap();
                done(group.pending, &group.last_delivered_id)
            })
            .await;
        }
    }
}

pub(crate) fn capture_request(external_id: &str) -> CaptureLeadRequest {
    let lead = NewLead {
        source: "website".into(),
        external_id: external_id.into(),
        company: "上海市第一人民医院".into(),
        phone: "13800138000".into(),
        product: "骨科耗材".into(),
        ..NewLead::default()
    };
    CaptureLeadRequest {
        lead: Some(lead),
        request_id: request_id(),
    }
}

pub(crate) fn request_id() -> String {
    SystemIds.next().to_string()
}
