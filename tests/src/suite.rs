//! All services in one process over real sockets, on a database and a Redis of the test's own.

use std::{sync::Arc, time::Duration};

use reflex_host::{Environment, RedisConfig};
use reflex_pg::DatabaseConfig;
use reflex_proto::leads::v1::{
    Member, PutMemberRequest, PutRoutingPolicyRequest, PutTeamRequest, RoutingPolicy, Team,
    directory_service_client::DirectoryServiceClient, member, routing_service_client::RoutingServiceClient,
};
use reflex_rpc::{
    auth::{Claims, Minter, Tenants, Verifier},
    client::{self, Authorized},
    identity::Role,
};
use reflex_runtime::{
    clock::{FixedClock, SharedClock, SystemClock},
    ids::{IdSource as _, SystemIds},
    tasks::Tasks,
};
use reflex_standalone::{Listeners, Options, Places, Secrets, Services, secrets::ISSUER};
use reflex_tenancy::{TenantId, TenantSet};
use reflex_testing::{TestDatabase, TestRedis};
use reflex_timers::TimerWake;
use tonic::{service::interceptor::InterceptedService, transport::Channel};

/// A channel that carries a token.
pub type Wire = InterceptedService<Channel, Authorized>;

/// All services, running.
pub struct Suite {
    /// The services.
    pub services: Services,
    /// Clock, ids, tasks.
    pub environment: Environment,
    /// Where the services keep their data.
    pub places: Places,
    /// Wakes the timers of leads after the clock was moved.
    pub timers: TimerWake,
    secrets: Secrets,
    leads: Channel,
    notifications: Channel,
    /// Kept until the services are dropped.
    homes: Option<(TestDatabase, TestDatabase, TestRedis)>,
}

impl Suite {
    /// Starts everything with the real clock.
    ///
    /// # Panics
    /// When something cannot start: the test cannot go on.
    pub async fn start() -> Self {
        Self::start_at(Arc::new(SystemClock::new())).await
    }

    /// Starts everything with a clock that the test moves.
    ///
    /// # Panics
    /// When something cannot start.
    pub async fn start_with(clock: &Arc<FixedClock>) -> Self {
        Self::start_at(Arc::clone(clock) as SharedClock).await
    }

    /// Starts everything on places that are there, for benches on servers of their own.
    ///
    /// # Panics
    /// When something cannot start.
    pub async fn start_on(places: Places, secrets: Secrets, clock: SharedClock) -> Self {
        let verifier = Verifier::from_jwks(&secrets.jwks_json, ISSUER, clock.clone()).expect("our own keys");
        let tasks = Tasks::new();
        let environment = Environment {
            clock,
            ids: Arc::new(SystemIds),
            tasks: tasks.clone(),
            verifier: Arc::new(verifier),
        };
        let free = "127.0.0.1:0";
        let listeners = Listeners::bind(free, free, free).await.expect("free ports");
        let timers = TimerWake::default();
        let options = Options {
            allow_plain_http: true,
            links: true,
            timers: timers.clone(),
        };
        let services = Services::start(&places, &secrets, &environment, listeners, &options)
            .await
            .expect("the services start");
        let channel = |address| client::connect(&format!("http://{address}"), &tasks).expect("an address");
        Self {
            leads: channel(services.addresses.leads),
            notifications: channel(services.addresses.notifications),
            services,
            environment,
            places,
            timers,
            secrets,
            homes: None,
        }
    }

    async fn start_at(clock: SharedClock) -> Self {
        let leads = TestDatabase::create(reflex_leads::SCHEMA.parts).await;
        let notifications = TestDatabase::create(reflex_notifications::SCHEMA.parts).await;
        let redis = TestRedis::create().await;
        let places = Places {
            leads: database(&leads),
            notifications: database(&notifications),
            redis: RedisConfig {
                url: redis.url().into(),
                prefix: redis.prefix().into(),
            },
        };
        let mut suite = Self::start_on(places, Secrets::generate(), clock).await;
        suite.homes = Some((leads, notifications, redis));
        suite
    }

    /// Stops all loops and servers.
    ///
    /// # Panics
    /// When a task had died: whatever the test saw, something was broken.
    pub async fn stop(self) {
        self.services.off().await;
        self.environment
            .tasks
            .shutdown(Duration::from_secs(10))
            .await
            .expect("no task died");
    }

    /// Returns the base URL of the gateway.
    #[must_use]
    pub fn gateway_url(&self) -> String {
        format!("http://{}", self.services.addresses.gateway)
    }

    /// Returns the URL of leads.
    #[must_use]
    pub fn leads_url(&self) -> String {
        format!("http://{}", self.services.addresses.leads)
    }

    /// Returns the URL of notifications.
    #[must_use]
    pub fn notifications_url(&self) -> String {
        format!("http://{}", self.services.addresses.notifications)
    }

    /// Makes a token.
    ///
    /// # Panics
    /// Never: the suite's keys are sound.
    #[must_use]
    pub fn token(&self, tenants: &[&TenantId], role: Role, member: Option<&str>) -> String {
        let minter = Minter::new(
            &self.secrets.private_pem,
            &self.secrets.kid,
            ISSUER,
            self.environment.clock.clone(),
        )
        .expect("our own keys");
        let claims = Claims {
            subject: member.unwrap_or("test").to_owned(),
            tenants: Tenants::Of(tenants.iter().map(|tenant| (*tenant).clone()).collect::<TenantSet>()),
            roles: vec![role],
            member: member.map(str::to_owned),
        };
        minter.mint(&claims, Duration::from_hours(24))
    }

    /// Returns a way to call leads.
    ///
    /// # Panics
    /// Never: our tokens can be sent.
    #[must_use]
    pub fn leads(&self, tenant: &TenantId, role: Role, member: Option<&str>) -> Wire {
        InterceptedService::new(self.leads.clone(), self.authorized(tenant, role, member))
    }

    /// Returns a way to call notifications.
    ///
    /// # Panics
    /// Never: our tokens can be sent.
    #[must_use]
    pub fn notifications(&self, tenant: &TenantId, role: Role, member: Option<&str>) -> Wire {
        InterceptedService::new(self.notifications.clone(), self.authorized(tenant, role, member))
    }

    fn authorized(&self, tenant: &TenantId, role: Role, member: Option<&str>) -> Authorized {
        Authorized::with_token(&self.token(&[tenant], role, member))
            .expect("a token can be sent")
            .for_tenant(tenant)
    }

    /// Makes a team of members who can take leads, and a policy that sends it everything.
    ///
    /// # Panics
    /// When a call fails.
    pub async fn set_up(&self, tenant: &TenantId, members: &[&str], capacity: i32) {
        set_up(self.leads(tenant, Role::Admin, None), members, capacity).await;
    }
}

/// Makes a team like [`Suite::set_up`], for the tenant of a wire to leads that may do everything.
///
/// # Panics
/// When a call fails.
pub async fn set_up(wire: Wire, members: &[&str], capacity: i32) {
    let mut directory = DirectoryServiceClient::new(wire.clone());
    let boss = "members/boss";
    let team = Team {
        name: "teams/sales".into(),
        display_name: "销售一部".into(),
        supervisor: boss.into(),
        director: boss.into(),
        ..Team::default()
    };
    let request_id = SystemIds.next().to_string();
    directory
        .put_team(PutTeamRequest {
            team: Some(team),
            request_id,
        })
        .await
        .expect("a team");
    let roles = members.iter().map(|name| (*name, member::Role::Sales, capacity));
    for (name, role, capacity) in roles.chain([(boss, member::Role::Supervisor, 0)]) {
        let member = Member {
            name: name.into(),
            display_name: name.trim_start_matches("members/").into(),
            team: "teams/sales".into(),
            role: role.into(),
            capacity,
            active: true,
            ..Member::default()
        };
        let request_id = SystemIds.next().to_string();
        directory
            .put_member(PutMemberRequest {
                member: Some(member),
                request_id,
            })
            .await
            .expect("a member");
    }
    let policy = RoutingPolicy {
        default_team: "teams/sales".into(),
        ..RoutingPolicy::default()
    };
    let request_id = SystemIds.next().to_string();
    RoutingServiceClient::new(wire)
        .put_routing_policy(PutRoutingPolicyRequest {
            policy: Some(policy),
            request_id,
            ..PutRoutingPolicyRequest::default()
        })
        .await
        .expect("a policy");
}

fn database(test: &TestDatabase) -> DatabaseConfig {
    DatabaseConfig {
        app_url: test.app_url().into(),
        worker_url: test.worker_url().into(),
        owner_url: test.owner_url().into(),
        max_connections: 12,
    }
}
