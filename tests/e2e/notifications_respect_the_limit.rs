//! Replicas share one robot, whose provider locks it for ten minutes at the twenty-first message of any minute: two of them with
//! hundreds of messages, three with ten thousand in a minute.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use prost::Message as _;
use reflex_events::{NewEvent, outbox};
use reflex_host::RedisConfig;
use reflex_notifications::domain::budget::{PACE, WINDOW};
use reflex_pg::{Database, DatabaseConfig};
use reflex_proto::{
    leads::v1::{LeadAssigned, LeadEscalated},
    notifications::v1::{
        Channel, ListMessagesRequest, Message, PutChannelRequest, channel::Kind,
        channel_service_client::ChannelServiceClient, message::State, message_service_client::MessageServiceClient,
    },
};
use reflex_rpc::identity::Role;
use reflex_runtime::{
    clock::{Clock as _, FixedClock},
    ids::{IdSource as _, SystemIds},
};
use reflex_standalone::{Places, Secrets};
use reflex_tenancy::{TenantId, TenantSet};
use reflex_testing::{TestDatabase, TestRedis, eventually, fixture_time};
use reflex_tests::{
    simulator::{Robot, Simulator, SimulatorOptions},
    suite::Suite,
};

const TOKEN: &str = "huadong-sales";
const ROBOT: &str = "channels/huadong";
const LIMIT: usize = 20;
/// An escalation is told of within this.
const URGENT: SignedDuration = SignedDuration::from_secs(5);

struct Scene {
    clock: Arc<FixedClock>,
    simulator: Simulator,
    tenant: TenantId,
    replicas: Vec<Suite>,
    leads: Database,
    notifications: Database,
    _dropped_last: (TestDatabase, TestDatabase, TestRedis),
}

impl Scene {
    async fn start(replicas: usize, kept_for_escalations: i32) -> Self {
        let clock = Arc::new(FixedClock::new(fixture_time()));
        let simulator = Simulator::start(SimulatorOptions {
            clock: clock.clone(),
            robots: vec![Robot {
                token: TOKEN.into(),
                secret: Some("SEC1".into()),
                keywords: Vec::new(),
            }],
            ..SimulatorOptions::default()
        })
        .await
        .unwrap();
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
        let secrets = Secrets::generate();
        let replica = || Suite::start_on(places.clone(), secrets.clone(), clock.clone());
        let mut started = Vec::new();
        for _ in 0..replicas {
            started.push(replica().await);
        }
        let scene = Self {
            replicas: started,
            leads: Database::connect(&places.leads).unwrap(),
            notifications: Database::connect(&places.notifications).unwrap(),
            tenant: "huadong".parse().unwrap(),
            clock,
            simulator,
            _dropped_last: (leads, notifications, redis),
        };
        scene.put_robot(kept_for_escalations).await;
        scene
    }

    /// The whole budget of the provider is used: there is no room for a mistake.
    async fn put_robot(&self, kept_for_escalations: i32) {
        let channel = Channel {
            name: ROBOT.into(),
            kind: Kind::DingtalkRobot.into(),
            endpoint: self.simulator.dingtalk_address(TOKEN),
            secret: "SEC1".into(),
            messages_per_minute: i32::try_from(LIMIT).unwrap(),
            reserved_for_escalations: kept_for_escalations,
            enabled: true,
            ..Channel::default()
        };
        let request = PutChannelRequest {
            channel: Some(channel),
            request_id: String::new(),
        };
        let wire = self.replicas[0].notifications(&self.tenant, Role::Admin, None);
        ChannelServiceClient::new(wire).put_channel(request).await.unwrap();
    }

    /// Tells that leads with these numbers were assigned, through the outbox and the relay of leads.
    async fn assign(&self, numbers: impl Iterator<Item = usize>) {
        let events = numbers.map(|number| {
            let assigned = LeadAssigned {
                lead: format!("leads/a{number}"),
                number: format!("A{number}"),
                owner: format!("members/m{}", number % 12),
                company: "华东机床".into(),
                ..LeadAssigned::default()
            };
            self.event(
                "reflex.leads.v1.LeadAssigned",
                assigned.lead.clone(),
                assigned.encode_to_vec(),
            )
        });
        self.tell(&events.collect::<Vec<_>>()).await;
    }

    async fn escalate(&self, numbers: impl Iterator<Item = usize>) {
        let events = numbers.map(|number| {
            let escalated = LeadEscalated {
                lead: format!("leads/e{number}"),
                number: format!("E{number}"),
                recipient: "members/boss".into(),
                channels: vec!["dingtalk".into()],
                ..LeadEscalated::default()
            };
            self.event(
                "reflex.leads.v1.LeadEscalated",
                escalated.lead.clone(),
                escalated.encode_to_vec(),
            )
        });
        self.tell(&events.collect::<Vec<_>>()).await;
    }

    fn event(&self, kind: &'static str, subject: String, data: Vec<u8>) -> NewEvent {
        NewEvent {
            tenant: self.tenant.clone(),
            id: SystemIds.next(),
            kind,
            subject,
            time: self.clock.now(),
            traceparent: None,
            causation_id: None,
            data,
        }
    }

    async fn tell(&self, events: &[NewEvent]) {
        let mut tx = self.leads.begin("tell", &TenantSet::one(&self.tenant)).await.unwrap();
        outbox::push(&mut tx, events).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Reads the robot's part of the ledger.
    async fn ledger(&self, state: State) -> Vec<Message> {
        let wire = self.replicas[1].notifications(&self.tenant, Role::Admin, None);
        let mut request = ListMessagesRequest {
            page_size: 1_000,
            state: state.into(),
            ..ListMessagesRequest::default()
        };
        let mut messages = Vec::new();
        loop {
            let page = MessageServiceClient::new(wire.clone())
                .list_messages(request.clone())
                .await
                .unwrap()
                .into_inner();
            messages.extend(page.messages.into_iter().filter(|message| message.channel == ROBOT));
            if page.next_page_token.is_empty() {
                return messages;
            }
            request.page_token = page.next_page_token;
        }
    }

    /// Returns when each escalation by the robot was written and told of.
    async fn escalations(&self) -> Vec<(Timestamp, Option<Timestamp>)> {
        let mut tx = self.read().await;
        let rows: Vec<(i64, Option<i64>)> = sqlx::query_as(
            "select (extract(epoch from create_time) * 1000000)::bigint,
                 (extract(epoch from deliver_time) * 1000000)::bigint
             from messages where channel = $1 and class = 'escalation' and not is_digest",
        )
        .bind(ROBOT)
        .fetch_all(&mut *tx)
        .await
        .unwrap();
        let time = |microseconds| Timestamp::from_microsecond(microseconds).unwrap();
        let times = rows.into_iter().map(|(written, told)| (time(written), told.map(time)));
        times.collect()
    }

    /// Moves the clock towards when the robot may say its next escalation, unless it may now, or is saying one: however slow
    /// the machine, nothing waits for it. In small steps, as a send whose reservation was just made must begin soon.
    async fn keep_pace(&self) {
        let mut tx = self.read().await;
        let release: Option<i64> = sqlx::query_scalar(
            "select (extract(epoch from max(release_time)) * 1000000)::bigint from channel_reservations
             where channel = $1 and is_escalation",
        )
        .bind(ROBOT)
        .fetch_one(&mut *tx)
        .await
        .unwrap();
        let Some(release) = release.and_then(|release| Timestamp::from_microsecond(release).ok()) else {
            return;
        };
        let answer = release - WINDOW;
        let left = (answer + PACE).duration_since(self.clock.now());
        if answer <= self.clock.now() && left.is_positive() {
            self.clock.advance(left.min(SignedDuration::from_millis(500)));
        }
    }

    /// Counts what waits for the robot, and every message by it that is no digest.
    async fn counts(&self) -> (i64, i64) {
        let mut tx = self.read().await;
        sqlx::query_as(
            "select count(*) filter (where state = 'pending'), count(*) filter (where not is_digest)
             from messages where channel = $1",
        )
        .bind(ROBOT)
        .fetch_one(&mut *tx)
        .await
        .unwrap()
    }

    async fn read(&self) -> reflex_pg::Transaction {
        self.notifications
            .begin("test", &TenantSet::one(&self.tenant))
            .await
            .unwrap()
    }

    fn accepted(&self, title: &str) -> usize {
        self.simulator
            .messages()
            .iter()
            .filter(|message| message.title.contains(title))
            .count()
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

fn busiest_minute(times: &[Timestamp]) -> usize {
    let minute_before = |end: &Timestamp| {
        times
            .iter()
            .filter(|time| *time <= end && end.duration_since(**time).as_secs() < 60)
            .count()
    };
    times.iter().map(minute_before).max().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_robot_shared_by_two_replicas_is_never_locked_and_nothing_is_lost() {
    let scene = Scene::start(2, 0).await;
    scene.assign(0..100).await;
    eventually("what escalations leave of the budget is used", async || {
        scene.simulator.messages().len() == 15 && scene.ledger(State::Pending).await.is_empty()
    })
    .await;
    assert_eq!(
        scene.accepted("条线索提醒"),
        1,
        "the fifteenth is a digest of the 86 that are left"
    );

    // In the same moment, behind hundreds of assignments.
    scene.assign(100..250).await;
    scene.escalate(0..4).await;
    eventually("escalations are sent from their part", async || {
        scene.accepted("超时未联系") == 4
    })
    .await;
    eventually("the assignments wait", async || {
        scene.ledger(State::Pending).await.len() == 150
    })
    .await;
    assert_eq!(scene.simulator.messages().len(), 19);

    for wave in 0..5 {
        scene.clock.advance(SignedDuration::from_secs(9));
        scene.assign((0..10).map(|number| 250 + wave * 10 + number)).await;
        scene.escalate([4 + wave].into_iter()).await;
    }
    eventually("nothing waits", async || {
        scene.clock.advance(SignedDuration::from_secs(3));
        let count = |messages: Vec<Message>| messages.len();
        let told = count(scene.ledger(State::Delivered).await) + count(scene.ledger(State::Merged).await);
        told >= 309 && scene.ledger(State::Pending).await.is_empty()
    })
    .await;

    let stats = scene.simulator.stats_of(TOKEN);
    assert_eq!(
        (stats.locks, stats.limited, stats.rejected, stats.duplicates),
        (0, 0, 0, 0),
        "{stats:?}"
    );
    let times: Vec<_> = scene.simulator.messages().iter().map(|message| message.time).collect();
    assert!(busiest_minute(&times) <= LIMIT, "{}", busiest_minute(&times));

    let delivered = scene.ledger(State::Delivered).await;
    let merged = scene.ledger(State::Merged).await;
    let digests: Vec<_> = delivered
        .iter()
        .filter(|message| message.template.starts_with("digest"))
        .collect();
    assert_eq!(
        u64::try_from(delivered.len()).unwrap(),
        stats.accepted,
        "each was sent once"
    );
    assert_eq!(
        delivered.len() - digests.len() + merged.len(),
        300 + 9,
        "everything is accounted for"
    );
    for message in &merged {
        let digest = message.reason.strip_prefix("merged into ").unwrap();
        assert!(digests.iter().any(|other| other.name == digest), "{}", message.reason);
        assert!(message.deliver_time.is_some());
    }
    for replica in scene.replicas {
        replica.stop().await;
    }
}

/// The clock is moved by the test, and only when the robot has to wait: how long an escalation waits is read from the ledger and
/// depends on no machine.
#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_messages_in_a_minute_from_three_replicas_are_told_without_a_lock() {
    const ROUNDS: usize = 12;
    const ASSIGNMENTS: usize = 9_880;
    const ESCALATIONS: usize = 120;
    let scene = Scene::start(3, 14).await;
    for round in 0..ROUNDS {
        let part = |of: usize| of * round / ROUNDS..of * (round + 1) / ROUNDS;
        scene.assign(part(ASSIGNMENTS)).await;
        scene.escalate(part(ESCALATIONS)).await;
        let written = part(ESCALATIONS).end;
        eventually("the escalations of these seconds are told of", async || {
            let escalations = scene.escalations().await;
            let told = escalations.iter().filter(|(_, told)| told.is_some()).count();
            if escalations.len() == written && told < written {
                scene.keep_pace().await;
            }
            told == written
        })
        .await;
        let begun = fixture_time() + SignedDuration::from_secs(5) * i32::try_from(round + 1).unwrap();
        let behind = begun.duration_since(scene.clock.now());
        if behind.is_positive() {
            scene.clock.advance(behind);
        }
    }
    let all = i64::try_from(ASSIGNMENTS + ESCALATIONS).unwrap();
    eventually("everything is written", async || scene.counts().await.1 == all).await;
    eventually("nothing waits", async || {
        scene.clock.advance(SignedDuration::from_secs(10));
        scene.counts().await.0 == 0
    })
    .await;

    let stats = scene.simulator.stats_of(TOKEN);
    assert_eq!(
        (stats.locks, stats.limited, stats.rejected, stats.duplicates),
        (0, 0, 0, 0),
        "{stats:?}"
    );
    let times: Vec<_> = scene.simulator.messages().iter().map(|message| message.time).collect();
    assert!(busiest_minute(&times) <= LIMIT, "{}", busiest_minute(&times));
    for (written, told) in scene.escalations().await {
        let waited = told.unwrap().duration_since(written);
        assert!(waited <= URGENT, "an escalation waited {waited}");
    }
    let delivered = scene.ledger(State::Delivered).await;
    let merged = scene.ledger(State::Merged).await;
    let (digests, singles): (Vec<_>, Vec<_>) = delivered
        .iter()
        .partition(|message| message.template.starts_with("digest"));
    assert_eq!(singles.len() + merged.len(), ASSIGNMENTS + ESCALATIONS);
    assert_eq!(u64::try_from(delivered.len()).unwrap(), stats.accepted);
    let names: std::collections::BTreeSet<_> = digests.iter().map(|digest| digest.name.as_str()).collect();
    for message in &merged {
        let digest = message.reason.strip_prefix("merged into ").unwrap();
        assert!(names.contains(digest) && message.deliver_time.is_some(), "{message:?}");
    }
    for replica in scene.replicas {
        replica.stop().await;
    }
}
