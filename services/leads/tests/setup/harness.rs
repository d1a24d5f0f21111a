//! A leads service of its own for each test, and what the tests send it.

use std::{sync::Arc, time::Duration};

use reflex_host::{Environment, Foundation};
use reflex_leads::{Config, DEFAULTS, SCHEMA};
use reflex_proto::{
    leads::v1::{
        CaptureLeadRequest, GetLeadRequest, Lead, Member, NewLead, PutMemberRequest, PutRoutingPolicyRequest,
        PutTeamRequest, RoutingPolicy, Team, account_service_client::AccountServiceClient,
        calendar_service_client::CalendarServiceClient, channel_service_client::ChannelServiceClient,
        claim_service_client::ClaimServiceClient, customer_service_client::CustomerServiceClient,
        decision_map_service_client::DecisionMapServiceClient, directory_service_client::DirectoryServiceClient,
        duplicate_service_client::DuplicateServiceClient, field_service_client::FieldServiceClient,
        follow_up_service_client::FollowUpServiceClient, form_service_client::FormServiceClient,
        gate_service_client::GateServiceClient, import_service_client::ImportServiceClient,
        industry_service_client::IndustryServiceClient, lead_service_client::LeadServiceClient, member,
        merge_service_client::MergeServiceClient, nurture_service_client::NurtureServiceClient,
        ownership_service_client::OwnershipServiceClient, privacy_service_client::PrivacyServiceClient,
        routing_service_client::RoutingServiceClient, tag_service_client::TagServiceClient,
        validity_service_client::ValidityServiceClient, webhook_service_client::WebhookServiceClient,
    },
    platform::v1::Reason,
};
use reflex_rpc::{
    auth::{Claims, Minter, Tenants, Verifier, generate_keys},
    client::{self, Authorized},
    identity::Role,
    status::reason_of,
};
use reflex_runtime::{config, tasks::Tasks};
use reflex_tenancy::{TenantId, TenantSet};
use reflex_testing::{FixedClock, SeededIds, TestDatabase, TestRedis, eventually, fixture_time};
use reflex_timers::TimerWake;
use sqlx::PgPool;
use tokio::net::TcpListener;
use tonic::{Code, Status, service::interceptor::InterceptedService, transport::Channel};

/// The tenant most tests act for.
pub(crate) const HUADONG: &str = "huadong";
/// A tenant that must not notice.
pub(crate) const HUABEI: &str = "huabei";

type Connection = InterceptedService<Channel, Authorized>;

/// A running leads service.
pub(crate) struct Leads {
    pub(crate) clock: Arc<FixedClock>,
    /// Sees all rows of all tenants.
    pub(crate) owner: PgPool,
    timers: TimerWake,
    channel: Channel,
    minter: Minter,
    _tasks: Tasks,
    _redis: TestRedis,
    _database: TestDatabase,
}

/// The clients of one caller.
pub(crate) struct Caller {
    pub(crate) directory: DirectoryServiceClient<Connection>,
    pub(crate) calendars: CalendarServiceClient<Connection>,
    pub(crate) routing: RoutingServiceClient<Connection>,
    pub(crate) forms: FormServiceClient<Connection>,
    pub(crate) leads: LeadServiceClient<Connection>,
    pub(crate) imports: ImportServiceClient<Connection>,
    pub(crate) accounts: AccountServiceClient<Connection>,
    pub(crate) fields: FieldServiceClient<Connection>,
    // Boxed where few tests use them: the futures of stories hold a caller, and grow with it.
    pub(crate) webhooks: Box<WebhookServiceClient<Connection>>,
    pub(crate) follow_ups: FollowUpServiceClient<Connection>,
    pub(crate) tags: TagServiceClient<Connection>,
    pub(crate) merges: MergeServiceClient<Connection>,
    pub(crate) ownership: OwnershipServiceClient<Connection>,
    pub(crate) privacy: Box<PrivacyServiceClient<Connection>>,
    pub(crate) claims: ClaimServiceClient<Connection>,
    pub(crate) duplicates: Box<DuplicateServiceClient<Connection>>,
    pub(crate) channels: Box<ChannelServiceClient<Connection>>,
    pub(crate) maps: Box<DecisionMapServiceClient<Connection>>,
    pub(crate) customers: Box<CustomerServiceClient<Connection>>,
    pub(crate) industries: Box<IndustryServiceClient<Connection>>,
    pub(crate) gate: Box<GateServiceClient<Connection>>,
    pub(crate) nurture: Box<NurtureServiceClient<Connection>>,
    pub(crate) validity: Box<ValidityServiceClient<Connection>>,
}

impl Leads {
    pub(crate) async fn start() -> Self {
        Self::start_with("").await
    }

    /// Starts with further settings.
    pub(crate) async fn start_with(settings_beside: &str) -> Self {
        let database = TestDatabase::create(SCHEMA.parts).await;
        let redis = TestRedis::create().await;
        let settings = tempfile::NamedTempFile::new().unwrap();
        let text = format!(
            "page_token_key = '0123456789abcdef0123456789abcdef'\n\
             [database]\napp_url = '{}'\nworker_url = '{}'\nowner_url = '{}'\n\
             [redis]\nurl = '{}'\nprefix = '{}'\n{settings_beside}",
            database.app_url(),
            database.worker_url(),
            database.owner_url(),
            redis.url(),
            redis.prefix(),
        );
        std::fs::write(settings.path(), text).unwrap();
        let config: Config = config::load(DEFAULTS, Some(settings.path()), "REFLEX_LEADS_TEST").unwrap();
        let clock = Arc::new(FixedClock::new(fixture_time()));
        let keys = generate_keys();
        let environment = Environment {
            clock: clock.clone(),
            ids: Arc::new(SeededIds::new(1)),
            tasks: Tasks::new(),
            verifier: Arc::new(Verifier::from_jwks(&keys.jwks_json, "test", clock.clone()).unwrap()),
        };
        let tasks = environment.tasks.clone();
        let foundation = Foundation::open(&config.foundation(), SCHEMA, environment)
            .await
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let timers = TimerWake::default();
        reflex_leads::serve(&config, &foundation, listener, timers.clone())
            .await
            .unwrap();
        Self {
            owner: PgPool::connect(&database.owner_url()).await.unwrap(),
            timers,
            channel: client::connect(&format!("http://{address}"), &tasks).unwrap(),
            minter: Minter::new(&keys.private_pem, &keys.kid, "test", clock.clone()).unwrap(),
            clock,
            _tasks: tasks,
            _redis: redis,
            _database: database,
        }
    }

    /// Returns the clients of an administrator.
    pub(crate) fn admin(&self, tenant: &str) -> Caller {
        self.caller(tenant, Role::Admin)
    }

    pub(crate) fn caller(&self, tenant: &str, role: Role) -> Caller {
        let tenant: TenantId = tenant.parse().unwrap();
        let claims = Claims {
            subject: "tests".into(),
            tenants: Tenants::Of(TenantSet::one(&tenant)),
            roles: vec![role],
            member: None,
        };
        let token = self.minter.mint(&claims, Duration::from_hours(24 * 365));
        let authorized = Authorized::with_token(&token).unwrap().for_tenant(&tenant);
        let connection = InterceptedService::new(self.channel.clone(), authorized);
        Caller {
            directory: DirectoryServiceClient::new(connection.clone()),
            calendars: CalendarServiceClient::new(connection.clone()),
            routing: RoutingServiceClient::new(connection.clone()),
            forms: FormServiceClient::new(connection.clone()),
            accounts: AccountServiceClient::new(connection.clone()),
            fields: FieldServiceClient::new(connection.clone()),
            webhooks: Box::new(WebhookServiceClient::new(connection.clone())),
            follow_ups: FollowUpServiceClient::new(connection.clone()),
            tags: TagServiceClient::new(connection.clone()),
            merges: MergeServiceClient::new(connection.clone()),
            ownership: OwnershipServiceClient::new(connection.clone()),
            privacy: Box::new(PrivacyServiceClient::new(connection.clone())),
            claims: ClaimServiceClient::new(connection.clone()),
            duplicates: Box::new(DuplicateServiceClient::new(connection.clone())),
            channels: Box::new(ChannelServiceClient::new(connection.clone())),
            maps: Box::new(DecisionMapServiceClient::new(connection.clone())),
            customers: Box::new(CustomerServiceClient::new(connection.clone())),
            industries: Box::new(IndustryServiceClient::new(connection.clone())),
            gate: Box::new(GateServiceClient::new(connection.clone())),
            nurture: Box::new(NurtureServiceClient::new(connection.clone())),
            validity: Box::new(ValidityServiceClient::new(connection.clone())),
            leads: LeadServiceClient::new(connection.clone()),
            imports: ImportServiceClient::new(connection),
        }
    }

    /// Moves the clock and has the timers looked at.
    pub(crate) fn advance(&self, step: jiff::SignedDuration) {
        self.clock.advance(step);
        self.timers.wake();
    }

    /// Returns the version of a tenant's setup.
    pub(crate) async fn version(&self, tenant: &str) -> i64 {
        sqlx::query_scalar("select coalesce(max(version), 0) from setup_versions where tenant_id = $1")
            .bind(tenant)
            .fetch_one(&self.owner)
            .await
            .unwrap()
    }

    /// Counts the facts of a kind that were told about a subject.
    pub(crate) async fn told(&self, kind: &str, subject: &str) -> i64 {
        sqlx::query_scalar("select count(*) from outbox where kind = $1 and subject = $2")
            .bind(kind)
            .bind(subject)
            .fetch_one(&self.owner)
            .await
            .unwrap()
    }
}

impl Caller {
    pub(crate) async fn put_team(&mut self, id: &str) {
        let request = PutTeamRequest {
            team: Some(team(id)),
            request_id: String::new(),
        };
        self.directory.put_team(request).await.unwrap();
    }

    pub(crate) async fn put_member(&mut self, member: Member) -> i32 {
        let request = PutMemberRequest {
            member: Some(member),
            request_id: String::new(),
        };
        self.directory
            .put_member(request)
            .await
            .unwrap()
            .into_inner()
            .rehomed_leads
    }

    /// Sends everything to one team.
    pub(crate) async fn route_all_to(&mut self, team: &str) {
        let policy = RoutingPolicy {
            default_team: team.into(),
            ..RoutingPolicy::default()
        };
        let request = PutRoutingPolicyRequest {
            policy: Some(policy),
            ..PutRoutingPolicyRequest::default()
        };
        self.routing.put_routing_policy(request).await.unwrap();
    }

    /// Captures a lead and returns its name.
    pub(crate) async fn capture(&mut self, company: &str) -> String {
        let lead = NewLead {
            source: "website".into(),
            external_id: company.into(),
            company: company.into(),
            ..NewLead::default()
        };
        let request = CaptureLeadRequest {
            lead: Some(lead),
            request_id: String::new(),
        };
        self.leads.capture_lead(request).await.unwrap().into_inner().name
    }

    pub(crate) async fn lead(&mut self, name: &str) -> Lead {
        let request = GetLeadRequest { name: name.into() };
        self.leads.get_lead(request).await.unwrap().into_inner().lead.unwrap()
    }

    /// Waits until the lead has this owner, or for an empty one, until it waits in the queue.
    pub(crate) async fn wait_for_owner(&self, name: &str, owner: &str) -> Lead {
        let leads = &self.leads;
        eventually(&format!("{name} has the owner {owner:?}"), async || {
            let request = GetLeadRequest { name: name.into() };
            let lead = leads
                .clone()
                .get_lead(request)
                .await
                .unwrap()
                .into_inner()
                .lead
                .unwrap();
            let routed = owner.is_empty() == (lead.state() == reflex_proto::leads::v1::lead::State::Queued);
            (routed && lead.owner == owner).then_some(lead)
        })
        .await
    }
}

pub(crate) fn team(id: &str) -> Team {
    Team {
        name: format!("teams/{id}"),
        display_name: format!("{id} 团队"),
        ..Team::default()
    }
}

/// Makes a salesperson with room for ten leads.
pub(crate) fn member(id: &str, team: &str) -> Member {
    Member {
        name: format!("members/{id}"),
        display_name: format!("{id} 先生"),
        team: format!("teams/{team}"),
        role: member::Role::Sales.into(),
        capacity: 10,
        active: true,
        ..Member::default()
    }
}

/// Checks code and reason of a refusal, and that it tells what is wrong.
#[track_caller]
pub(crate) fn assert_refused<T: std::fmt::Debug>(
    answer: Result<T, Status>,
    (code, reason): (Code, Reason),
    telling: &str,
) {
    let status = answer.expect_err("must be refused");
    assert_eq!((status.code(), reason_of(&status)), (code, Some(reason)), "{status}");
    assert!(
        status.message().contains(telling),
        "{:?} must tell {telling:?}",
        status.message()
    );
}

pub(crate) const INVALID: (Code, Reason) = (Code::InvalidArgument, Reason::InvalidField);
pub(crate) const WRONG_STATE: (Code, Reason) = (Code::FailedPrecondition, Reason::WrongState);
pub(crate) const NOT_FOUND: (Code, Reason) = (Code::NotFound, Reason::NotFound);
pub(crate) const REUSED: (Code, Reason) = (Code::AlreadyExists, Reason::RequestIdReused);
pub(crate) const OTHER_PAGE: (Code, Reason) = (Code::InvalidArgument, Reason::PageTokenMismatch);
pub(crate) const DENIED: (Code, Reason) = (Code::PermissionDenied, Reason::PermissionDenied);
