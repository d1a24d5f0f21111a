//! The leads service alone: a server on a free port, a database and a Redis of its own, a clock that the test moves.

use std::{sync::Arc, time::Duration};

use reflex_host::{Environment, Foundation, RedisConfig};
use reflex_leads::Config;
use reflex_pg::DatabaseConfig;
use reflex_proto::leads::v1::{
    CaptureLeadRequest, CaptureLeadResponse, ExplainAssignmentRequest, GetLeadRequest, Lead, LeadHistoryEntry, Member,
    NewLead, PutMemberRequest, PutMemberResponse, PutRoutingPolicyRequest, PutTeamRequest, RoutingPolicy, Team,
    claim_service_client::ClaimServiceClient, directory_service_client::DirectoryServiceClient,
    field_service_client::FieldServiceClient, follow_up_service_client::FollowUpServiceClient, lead,
    lead_service_client::LeadServiceClient, member, nurture_service_client::NurtureServiceClient,
    pool_service_client::PoolServiceClient, routing_service_client::RoutingServiceClient,
};
use reflex_rpc::{
    auth::{Claims, Minter, Tenants, Verifier, generate_keys},
    client::{self, Authorized},
    identity::Role,
};
use reflex_runtime::{
    clock::FixedClock,
    config,
    ids::{IdSource as _, SystemIds},
    tasks::Tasks,
};
use reflex_tenancy::{TenantId, TenantSet};
use reflex_testing::{TestDatabase, TestRedis, eventually};
use reflex_timers::TimerWake;
use tokio::net::TcpListener;
use tonic::{service::interceptor::InterceptedService, transport::Channel};

type Wire = InterceptedService<Channel, Authorized>;

const ISSUER: &str = "test";
/// A Thursday, 10:00 in Shanghai.
const START: &str = "2026-03-05T10:00:00+08:00";

pub(crate) struct World {
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) timers: TimerWake,
    tasks: Tasks,
    tenant: TenantId,
    channel: Channel,
    minter: Minter,
    pub(crate) database: TestDatabase,
    _redis: TestRedis,
}

impl World {
    pub(crate) async fn start() -> Self {
        let database = TestDatabase::create(reflex_leads::SCHEMA.parts).await;
        let redis = TestRedis::create().await;
        let clock = Arc::new(FixedClock::new(START.parse().unwrap()));
        let keys = generate_keys();
        let tasks = Tasks::new();
        let verifier = Verifier::from_jwks(&keys.jwks_json, ISSUER, Arc::clone(&clock) as _).unwrap();
        let environment = Environment {
            clock: Arc::clone(&clock) as _,
            ids: Arc::new(SystemIds),
            tasks: tasks.clone(),
            verifier: Arc::new(verifier),
        };
        let mut config: Config = config::load(reflex_leads::DEFAULTS, None, "REFLEX_TEST_LEADS").unwrap();
        config.database = DatabaseConfig {
            app_url: database.app_url().into(),
            worker_url: database.worker_url().into(),
            owner_url: database.owner_url().into(),
            max_connections: 8,
        };
        config.redis = RedisConfig {
            url: redis.url().into(),
            prefix: redis.prefix().into(),
        };
        config.page_token_key = "a key for tests, long enough to sign".into();
        config.sealing_key = "a key for tests, long enough to seal".into();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let foundation = Foundation::open(&config.foundation(), reflex_leads::SCHEMA, environment)
            .await
            .unwrap();
        let timers = TimerWake::default();
        reflex_leads::serve(&config, &foundation, listener, timers.clone())
            .await
            .unwrap();
        Self {
            timers,
            channel: client::connect(&format!("http://{address}"), &tasks).unwrap(),
            minter: Minter::new(&keys.private_pem, &keys.kid, ISSUER, Arc::clone(&clock) as _).unwrap(),
            clock,
            tasks,
            tenant: "huakang-east".parse().unwrap(),
            database,
            _redis: redis,
        }
    }

    pub(crate) async fn stop(self) {
        self.tasks.shutdown(Duration::from_secs(10)).await.unwrap();
    }

    fn wire(&self, role: Role, member: Option<&str>) -> Wire {
        let claims = Claims {
            subject: "test".into(),
            tenants: Tenants::Of(TenantSet::one(&self.tenant)),
            roles: vec![role],
            member: member.map(str::to_owned),
        };
        let token = self.minter.mint(&claims, Duration::from_hours(24));
        InterceptedService::new(self.channel.clone(), Authorized::with_token(&token).unwrap())
    }

    pub(crate) fn leads(&self, role: Role) -> LeadServiceClient<Wire> {
        LeadServiceClient::new(self.wire(role, None)).max_encoding_message_size(16 * 1024 * 1024)
    }

    pub(crate) fn claims(&self, role: Role, member: Option<&str>) -> ClaimServiceClient<Wire> {
        ClaimServiceClient::new(self.wire(role, member))
    }

    pub(crate) fn follow_ups(&self, role: Role) -> FollowUpServiceClient<Wire> {
        FollowUpServiceClient::new(self.wire(role, None))
    }

    pub(crate) fn nurture(&self, role: Role) -> NurtureServiceClient<Wire> {
        NurtureServiceClient::new(self.wire(role, None))
    }

    pub(crate) fn pool(&self, role: Role, member: Option<&str>) -> PoolServiceClient<Wire> {
        PoolServiceClient::new(self.wire(role, member))
    }

    pub(crate) fn fields(&self, role: Role) -> FieldServiceClient<Wire> {
        FieldServiceClient::new(self.wire(role, None))
    }

    pub(crate) fn directory(&self, role: Role) -> DirectoryServiceClient<Wire> {
        DirectoryServiceClient::new(self.wire(role, None))
    }

    pub(crate) fn routing(&self, role: Role) -> RoutingServiceClient<Wire> {
        RoutingServiceClient::new(self.wire(role, None))
    }

    /// Makes a team with a supervisor and these members, and a policy that sends it everything.
    pub(crate) async fn set_up(&self, members: &[&str], capacity: i32) {
        let boss = "members/boss";
        let team = Team {
            name: "teams/sales".into(),
            display_name: "销售一部".into(),
            supervisor: boss.into(),
            director: boss.into(),
            ..Team::default()
        };
        let mut directory = self.directory(Role::Admin);
        directory
            .put_team(PutTeamRequest {
                team: Some(team),
                request_id: request_id(),
            })
            .await
            .unwrap();
        self.put_member(boss, 0, true).await;
        for member in members {
            self.put_member(member, capacity, true).await;
        }
        let policy = RoutingPolicy {
            default_team: "teams/sales".into(),
            ..RoutingPolicy::default()
        };
        let put = PutRoutingPolicyRequest {
            policy: Some(policy),
            request_id: request_id(),
            ..PutRoutingPolicyRequest::default()
        };
        self.routing(Role::Admin).put_routing_policy(put).await.unwrap();
    }

    pub(crate) async fn put_member(&self, name: &str, capacity: i32, active: bool) -> PutMemberResponse {
        let member = Some(member(name, capacity, active));
        let put = PutMemberRequest {
            member,
            request_id: request_id(),
        };
        self.directory(Role::Admin).put_member(put).await.unwrap().into_inner()
    }

    pub(crate) async fn capture(&self, external_id: &str) -> CaptureLeadResponse {
        self.leads(Role::Integration)
            .capture_lead(new_lead(external_id))
            .await
            .unwrap()
            .into_inner()
    }

    pub(crate) async fn get(&self, name: &str) -> Lead {
        let request = GetLeadRequest { name: name.into() };
        self.leads(Role::Manager)
            .get_lead(request)
            .await
            .unwrap()
            .into_inner()
            .lead
            .unwrap()
    }

    pub(crate) async fn until(&self, name: &str, wanted: impl Fn(&Lead) -> bool) -> Lead {
        eventually(&format!("{name} as wanted"), async || {
            Some(self.get(name).await).filter(|lead| wanted(lead))
        })
        .await
    }

    pub(crate) async fn assigned(&self, name: &str) -> Lead {
        self.until(name, |lead| lead.state() == lead::State::Assigned).await
    }

    pub(crate) async fn history(&self, name: &str) -> Vec<LeadHistoryEntry> {
        let request = ExplainAssignmentRequest { name: name.into() };
        self.routing(Role::Manager)
            .explain_assignment(request)
            .await
            .unwrap()
            .into_inner()
            .history
    }

    pub(crate) async fn steps(&self, name: &str) -> usize {
        self.history(name)
            .await
            .iter()
            .filter(|entry| entry.kind == "escalated")
            .count()
    }

    pub(crate) async fn until_steps(&self, name: &str, wanted: usize) {
        eventually(&format!("{wanted} steps"), async || self.steps(name).await == wanted).await;
    }
}

pub(crate) fn request_id() -> String {
    SystemIds.next().to_string()
}

pub(crate) fn member(name: &str, capacity: i32, active: bool) -> Member {
    Member {
        name: name.into(),
        display_name: name.trim_start_matches("members/").into(),
        team: "teams/sales".into(),
        role: member::Role::Sales.into(),
        capacity,
        active,
        ..Member::default()
    }
}

/// Makes a lead of somebody else for each id, so that none is taken for another.
pub(crate) fn new_lead(external_id: &str) -> CaptureLeadRequest {
    let digits = external_id
        .bytes()
        .fold(7_u64, |sum, byte| (sum * 131 + u64::from(byte)) % 100_000_000);
    let lead = NewLead {
        source: "website".into(),
        external_id: external_id.into(),
        company: format!("{external_id}人民医院"),
        phone: format!("138{digits:08}"),
        product: "骨科耗材".into(),
        ..NewLead::default()
    };
    CaptureLeadRequest {
        lead: Some(lead),
        request_id: String::new(),
    }
}
