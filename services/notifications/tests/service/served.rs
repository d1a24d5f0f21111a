//! The service with its server and its loops, and a teller of leads' facts beside it.

use std::{sync::Arc, time::Duration};

use reflex_events::{Envelope, NewEvent, outbox};
use reflex_host::{Environment, Foundation, FoundationConfig, RedisConfig, Schema};
use reflex_notifications::{Config, DEFAULTS, SCHEMA};
use reflex_pg::DatabaseConfig;
use reflex_proto::{
    notifications::v1::{
        channel_service_client::ChannelServiceClient, inbox_service_client::InboxServiceClient,
        message_service_client::MessageServiceClient, template_service_client::TemplateServiceClient,
    },
    platform::v1::dead_letter_service_client::DeadLetterServiceClient,
};
use reflex_rpc::{
    auth::{Claims, Minter, Tenants, Verifier, generate_keys},
    client::{self, Authorized},
    identity::Role,
};
use reflex_runtime::{config, tasks::Tasks};
use reflex_tenancy::{TenantId, TenantSet};
use reflex_testing::{FixedClock, SeededIds, TestDatabase, TestRedis, fixture_time};
use tokio::net::TcpListener;
use tonic::{service::interceptor::InterceptedService, transport::Channel};

use crate::{facts::Facts, scene::tenant};

const KIND: &[&str] = &[
    "reflex.leads.v1.MemberChanged",
    "reflex.leads.v1.LeadAssigned",
    "reflex.leads.v1.LeadEscalated",
    "reflex.leads.v1.ClaimExpired",
    "reflex.leads.v1.LeadFirstContacted",
];

/// The tables a service needs to tell facts.
const TELLER: Schema = Schema {
    parts: &[&reflex_pg::migrate::MIGRATIONS, &reflex_events::MIGRATIONS],
};

pub(crate) type Caller = InterceptedService<Channel, Authorized>;

pub(crate) struct Served {
    pub(crate) facts: Facts,
    pub(crate) tasks: Tasks,
    pub(crate) foundation: Foundation,
    teller: Foundation,
    minter: Minter,
    channel: Channel,
    _dropped_last: (TestDatabase, TestDatabase, TestRedis),
}

impl Served {
    pub(crate) async fn start() -> Self {
        let (own, tellers, redis) = (
            TestDatabase::create(SCHEMA.parts).await,
            TestDatabase::create(TELLER.parts).await,
            TestRedis::create().await,
        );
        let clock = Arc::new(FixedClock::new(fixture_time()));
        let keys = generate_keys();
        let tasks = Tasks::new();
        let environment = |seed| Environment {
            clock: clock.clone(),
            ids: Arc::new(SeededIds::new(seed)),
            tasks: tasks.clone(),
            verifier: Arc::new(Verifier::from_jwks(&keys.jwks_json, "test", clock.clone()).unwrap()),
        };
        let mut config: Config = config::load(DEFAULTS, None, "REFLEX_TEST_NOTIFICATIONS").unwrap();
        config.database = database(&own);
        config.redis = RedisConfig {
            url: redis.url().into(),
            prefix: redis.prefix().to_owned(),
        };
        config.page_token_key = "0123456789abcdef0123456789abcdef".into();
        config.sealing_key = "fedcba9876543210fedcba9876543210".into();

        let tellers_config = FoundationConfig {
            database: database(&tellers),
            ..config.foundation()
        };
        let teller = Foundation::open(&tellers_config, TELLER, environment(2)).await.unwrap();
        teller.spawn_relay("leads", "leads.v1");
        let foundation = Foundation::open(&config.foundation(), SCHEMA, environment(3))
            .await
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        reflex_notifications::serve(&config, &foundation, listener)
            .await
            .unwrap();
        Self {
            facts: Facts::new(),
            channel: client::connect(&format!("http://{address}"), &tasks).unwrap(),
            minter: Minter::new(&keys.private_pem, &keys.kid, "test", clock).unwrap(),
            tasks,
            foundation,
            teller,
            _dropped_last: (own, tellers, redis),
        }
    }

    /// Tells facts as leads does: through its outbox, its relay and Redis.
    pub(crate) async fn tell(&self, events: &[Envelope]) {
        let tenants: TenantSet = events.iter().map(|event| event.tenant.clone()).collect();
        let facts: Vec<_> = events.iter().map(new_event).collect();
        let mut tx = self.teller.db.begin("tell", &tenants).await.unwrap();
        outbox::push(&mut tx, &facts).await.unwrap();
        tx.commit().await.unwrap();
        self.teller.relay.wake();
    }

    /// Returns what calls as somebody with this role, who may be a member.
    pub(crate) fn caller(&self, role: Role, member: Option<&str>) -> Caller {
        self.caller_of(&tenant(), role, member)
    }

    pub(crate) fn caller_of(&self, tenant: &TenantId, role: Role, member: Option<&str>) -> Caller {
        let claims = Claims {
            subject: "test".to_owned(),
            tenants: Tenants::Of(TenantSet::one(tenant)),
            roles: vec![role],
            member: member.map(|member| format!("members/{member}")),
        };
        let token = self.minter.mint(&claims, Duration::from_hours(24 * 365));
        InterceptedService::new(self.channel.clone(), Authorized::with_token(&token).unwrap())
    }

    pub(crate) fn channels(&self, role: Role) -> ChannelServiceClient<Caller> {
        ChannelServiceClient::new(self.caller(role, None))
    }

    pub(crate) fn messages(&self) -> MessageServiceClient<Caller> {
        MessageServiceClient::new(self.caller(Role::Admin, None))
    }

    pub(crate) fn templates(&self) -> TemplateServiceClient<Caller> {
        TemplateServiceClient::new(self.caller(Role::Admin, None))
    }

    pub(crate) fn dead_letters(&self) -> DeadLetterServiceClient<Caller> {
        DeadLetterServiceClient::new(self.caller(Role::Admin, None))
    }

    pub(crate) fn inbox(&self, role: Role, member: Option<&str>) -> InboxServiceClient<Caller> {
        InboxServiceClient::new(self.caller(role, member))
    }

    /// Ends everything in good order.
    pub(crate) async fn stop(self) {
        self.tasks.shutdown(Duration::from_secs(20)).await.unwrap();
    }
}

fn database(test: &TestDatabase) -> DatabaseConfig {
    DatabaseConfig {
        app_url: test.app_url().into(),
        worker_url: test.worker_url().into(),
        owner_url: test.owner_url().into(),
        max_connections: 12,
    }
}

fn new_event(event: &Envelope) -> NewEvent {
    NewEvent {
        tenant: event.tenant.clone(),
        id: event.id,
        kind: KIND.iter().copied().find(|kind| *kind == event.kind).unwrap(),
        subject: event.subject.clone(),
        time: event.time,
        traceparent: event.traceparent.clone(),
        causation_id: event.causation_id,
        data: event.data.clone(),
    }
}
