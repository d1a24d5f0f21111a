//! Two replicas tell a busy minute to a DingTalk group, a WeCom group and a program, each in its own way and within its
//! own limit.

use std::{collections::BTreeSet, sync::Arc};

use jiff::SignedDuration;
use prost::Message as _;
use reflex_events::{NewEvent, outbox};
use reflex_host::RedisConfig;
use reflex_pg::{Database, DatabaseConfig};
use reflex_proto::{
    leads::v1::{LeadAssigned, MemberChanged},
    notifications::v1::{
        Channel, ListChannelsRequest, ListMessagesRequest, Message, PutChannelRequest, channel::Kind,
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
    simulator::{Application, FeishuRobot, Hook, Robot, Simulator, SimulatorOptions, SmsAccount, WecomRobot},
    suite::Suite,
};
use tonic::Code;

/// Token, key and name of all alike.
const NAMES: [&str; 4] = ["dingtalk", "wecom", "mes", "feishu"];
const FEISHU_SECRET: &str = "W6kQ8mVx2c";
const WEBHOOK_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const MESSAGES: usize = 60;
const MOBILE: &str = "13800000001";

struct Scene {
    clock: Arc<FixedClock>,
    simulator: Simulator,
    tenant: TenantId,
    replicas: [Suite; 2],
    leads: Database,
    notifications: Database,
    _dropped_last: (TestDatabase, TestDatabase, TestRedis),
}

impl Scene {
    async fn start() -> Self {
        let clock = Arc::new(FixedClock::new(fixture_time()));
        let simulator = Simulator::start(SimulatorOptions {
            clock: clock.clone(),
            robots: vec![Robot {
                token: NAMES[0].into(),
                ..Robot::default()
            }],
            wecom_robots: vec![WecomRobot { key: NAMES[1].into() }],
            feishu_robots: vec![FeishuRobot {
                token: NAMES[3].into(),
                secret: Some(FEISHU_SECRET.into()),
            }],
            webhooks: vec![Hook {
                token: NAMES[2].into(),
                secret: WEBHOOK_SECRET.into(),
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
        Self {
            replicas: [replica().await, replica().await],
            leads: Database::connect(&places.leads).unwrap(),
            notifications: Database::connect(&places.notifications).unwrap(),
            tenant: "huadong".parse().unwrap(),
            clock,
            simulator,
            _dropped_last: (leads, notifications, redis),
        }
    }

    fn channels(&self) -> [Channel; 4] {
        let channel = |kind: Kind, name: &str, endpoint, secret: &str| Channel {
            name: format!("channels/{name}"),
            kind: kind.into(),
            endpoint,
            secret: secret.to_owned(),
            enabled: true,
            ..Channel::default()
        };
        let [dingtalk, wecom, mes, feishu] = NAMES;
        [
            channel(
                Kind::DingtalkRobot,
                dingtalk,
                self.simulator.dingtalk_address(dingtalk),
                "",
            ),
            channel(Kind::WecomRobot, wecom, self.simulator.wecom_address(wecom), ""),
            channel(Kind::Webhook, mes, self.simulator.webhook_address(mes), WEBHOOK_SECRET),
            channel(
                Kind::FeishuRobot,
                feishu,
                self.simulator.feishu_address(feishu),
                FEISHU_SECRET,
            ),
        ]
    }

    async fn put(&self, channel: Channel) -> Result<Channel, tonic::Status> {
        let request = PutChannelRequest {
            channel: Some(channel),
            request_id: String::new(),
        };
        let wire = self.replicas[0].notifications(&self.tenant, Role::Admin, None);
        let answer = ChannelServiceClient::new(wire).put_channel(request).await?;
        Ok(answer.into_inner().channel.unwrap())
    }

    async fn assign(&self) {
        let events: Vec<_> = (0..MESSAGES)
            .map(|number| {
                let assigned = LeadAssigned {
                    lead: format!("leads/a{number}"),
                    number: format!("A{number}"),
                    owner: "members/zhang.wei".into(),
                    company: "<@all> 华东机床".into(),
                    ..LeadAssigned::default()
                };
                self.event(
                    "reflex.leads.v1.LeadAssigned",
                    assigned.lead.clone(),
                    assigned.encode_to_vec(),
                )
            })
            .collect();
        self.tell(&events).await;
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

    /// Makes a person known, and the ways to them alone.
    async fn know_a_person(&self) {
        self.simulator.add_application(Application {
            user: "app".into(),
            secret: "S3cret".into(),
            agent: 4_321,
            people: [(MOBILE.to_owned(), "u-zhang".to_owned())].into(),
        });
        self.simulator.add_sms_account(SmsAccount {
            key: "key".into(),
            secret: "S3cret".into(),
            signature: "华东机床".into(),
            template: "SMS_1".into(),
            per_number: None,
        });
        for (kind, name, endpoint, account, sender, template) in [
            (
                Kind::Sms,
                "sms",
                self.simulator.sms_address(),
                "key",
                "华东机床",
                "SMS_1",
            ),
            (Kind::DingtalkNotice, "notice", self.simulator.url(), "app", "4321", ""),
            (Kind::WecomApp, "app", self.simulator.url(), "app", "4321", ""),
        ] {
            let channel = Channel {
                name: format!("channels/{name}"),
                kind: kind.into(),
                endpoint,
                secret: "S3cret".into(),
                account: account.into(),
                sender: sender.into(),
                template: template.into(),
                enabled: true,
                ..Channel::default()
            };
            let stored = self.put(channel).await.unwrap();
            assert_eq!(self.put(stored.clone()).await.unwrap(), stored);
        }
        let changed = MemberChanged {
            member: "members/zhang.wei".into(),
            display_name: "张伟".into(),
            mobile: MOBILE.into(),
            active: true,
            ..MemberChanged::default()
        };
        let event = self.event(
            "reflex.leads.v1.MemberChanged",
            changed.member.clone(),
            changed.encode_to_vec(),
        );
        self.tell(&[event]).await;
        let tenant = TenantSet::one(&self.tenant);
        eventually("the person is known", async || {
            let mut tx = self.notifications.begin("test", &tenant).await.unwrap();
            let known: i64 = sqlx::query_scalar("select count(*) from recipients where mobile <> ''")
                .fetch_one(&mut *tx)
                .await
                .unwrap();
            known == 1
        })
        .await;
    }

    async fn ledger(&self, state: State) -> Vec<Message> {
        let wire = self.replicas[1].notifications(&self.tenant, Role::Admin, None);
        let request = ListMessagesRequest {
            page_size: 1_000,
            state: state.into(),
            ..ListMessagesRequest::default()
        };
        let page = MessageServiceClient::new(wire).list_messages(request).await.unwrap();
        page.into_inner().messages
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

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_is_told_in_its_own_way() {
    let scene = Scene::start().await;
    for channel in scene.channels() {
        scene.put(channel).await.unwrap();
    }
    scene.assign().await;
    eventually("everything was told to everybody", async || {
        // What comes after a group's digest waits for the next minute.
        scene.clock.advance(SignedDuration::from_secs(3));
        scene.simulator.deliveries(NAMES[2]).len() == MESSAGES && scene.ledger(State::Pending).await.is_empty()
    })
    .await;

    // Feishu: five a second at most, and a budget that all of them fit in.
    let cards = scene.simulator.messages_of(NAMES[3]);
    assert_eq!(cards.len(), MESSAGES);
    assert!(
        cards
            .iter()
            .all(|card| !card.everyone && card.title.starts_with("新线索 A"))
    );
    assert_eq!(scene.simulator.stats_of(NAMES[3]).rejected, 0);

    // The groups: within the budget, what is more in digests.
    for name in &NAMES[..2] {
        let messages = scene.simulator.messages_of(name);
        let digests = messages.iter().filter(|message| message.text.contains("条线索提醒"));
        assert!(digests.count() >= 1, "{name}");
        assert!(messages.iter().all(|message| message.mobiles.is_empty()), "{name}");
        assert!(
            messages
                .iter()
                .all(|message| !message.everyone && !message.text.contains("<@"))
        );
        let stats = scene.simulator.stats_of(name);
        assert_eq!((stats.limited, stats.rejected, stats.duplicates), (0, 0, 0), "{name}");
    }
    let words = &scene.simulator.messages_of("wecom")[0].text;
    let is_markdown = words.starts_with("### 新线索 A") && words.contains("＜＠all＞ 华东机床");
    assert!(is_markdown, "{words}");

    // The program: each message by itself, under the name it has in the ledger.
    let told: BTreeSet<_> = scene
        .simulator
        .deliveries(NAMES[2])
        .into_iter()
        .map(|delivery| {
            assert_eq!(delivery.body["type"], "notification.lead_assigned");
            assert_eq!(delivery.body["data"]["message"], format!("messages/{}", delivery.id));
            format!("messages/{}", delivery.id)
        })
        .collect();
    let delivered = scene.ledger(State::Delivered).await;
    let in_ledger: BTreeSet<_> = delivered
        .into_iter()
        .filter(|message| message.channel == "channels/mes")
        .map(|message| message.name)
        .collect();
    assert_eq!(told, in_ledger);
    for replica in scene.replicas {
        replica.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_person_is_told_alone_by_text_message_and_chat() {
    let scene = Scene::start().await;
    scene.know_a_person().await;
    scene.assign().await;
    eventually("everything was told", async || {
        // The minute's budget of text messages is smaller than what is told.
        scene.clock.advance(SignedDuration::from_secs(3));
        let is_told = scene.simulator.messages().len() == 3 * MESSAGES;
        is_told && scene.ledger(State::Pending).await.is_empty()
    })
    .await;
    for token in ["key", "app"] {
        let stats = scene.simulator.stats_of(token);
        assert_eq!(stats.rejected, 0, "{token} {stats:?}");
    }
    for message in scene.simulator.messages() {
        assert_eq!(message.mobiles, [MOBILE], "{message:?}");
    }
    let texts: BTreeSet<_> = scene
        .simulator
        .messages_of("key")
        .into_iter()
        .map(|message| message.text)
        .collect();
    assert_eq!(texts.len(), MESSAGES, "each has its message's id");
    for replica in scene.replicas {
        replica.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_is_set_up_in_its_own_way() {
    let scene = Scene::start().await;
    let mut limits = Vec::new();
    for channel in scene.channels() {
        let stored = scene.put(channel.clone()).await.unwrap();
        limits.push((stored.messages_per_minute, stored.reserved_for_escalations));
        assert_eq!((stored.kind, stored.secret.as_str()), (channel.kind, ""));
        // As it was read, it can be written back.
        assert_eq!(scene.put(stored.clone()).await.unwrap(), stored);
    }
    assert_eq!(limits, [(18, 4), (18, 4), (600, 150), (90, 22)]);

    let [dingtalk, wecom, webhook, feishu] = scene.channels();
    let new = |channel: &Channel| Channel {
        name: "channels/new".into(),
        ..channel.clone()
    };
    for refused in [
        Channel {
            kind: Kind::WecomRobot.into(),
            ..dingtalk
        },
        Channel {
            secret: "SEC1".into(),
            ..new(&wecom)
        },
        Channel {
            messages_per_minute: 21,
            ..new(&wecom)
        },
        Channel {
            secret: String::new(),
            ..new(&webhook)
        },
        Channel {
            secret: "whsec_c2hvcnQ=".into(),
            ..new(&webhook)
        },
        Channel {
            messages_per_minute: 601,
            ..new(&webhook)
        },
        Channel {
            messages_per_minute: 101,
            ..new(&feishu)
        },
        Channel { kind: 99, ..webhook },
    ] {
        let status = scene.put(refused.clone()).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{refused:?}");
    }
    let wire = scene.replicas[1].notifications(&scene.tenant, Role::Admin, None);
    let listed = ChannelServiceClient::new(wire)
        .list_channels(ListChannelsRequest::default())
        .await
        .unwrap();
    let kinds: Vec<_> = listed.into_inner().channels.iter().map(Channel::kind).collect();
    assert_eq!(
        kinds,
        [Kind::DingtalkRobot, Kind::FeishuRobot, Kind::Webhook, Kind::WecomRobot]
    );
    for replica in scene.replicas {
        replica.stop().await;
    }
}
