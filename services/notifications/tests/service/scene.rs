//! The parts of the service on a database of their own, with a provider that does as it is told.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use parking_lot::Mutex;
use reflex_events::{Envelope, Handler, HandlerError, RelayWake};
use reflex_notifications::{
    SCHEMA,
    app::{
        App,
        notify::Notifier,
        put_channel::WantedChannel,
        send::{Sender, SenderParts, Step},
        settings::SettingsCache,
        subscriptions::{Subscribing, fan_out::FanOut, listeners::Listeners},
        watch_inbox::{WatchLimits, Watchers},
    },
    channels::{
        Channel, Endpoint, Outcome, Providers, Rendered,
        http::{HttpClient, Timeouts},
    },
    domain::{
        account::Account,
        action_link::Links,
        budget::Limits,
        channel::{EndpointRules, Kind},
        message::{Class, State},
    },
    events::LeadEvents,
    store::{
        attempts::Attempt,
        messages::{Filter, Message},
    },
    wake::Wake,
};
use reflex_pg::{Database, DatabaseConfig};
use reflex_proto::notifications::v1::PutChannelRequest;
use reflex_runtime::clock::{Clock, SharedClock};
use reflex_sealing::Sealer;
use reflex_tenancy::{TenantId, TenantSet};
use reflex_testing::{FixedClock, SeededIds, TestDatabase, fixture_time};
use uuid::Uuid;

use crate::facts::{Facts, TENANT};

pub(crate) const ROBOT: &str = "channels/robot";

/// So little that a test can have too much.
const WATCH_LIMITS: WatchLimits = WatchLimits {
    watchers: 2,
    items: 4,
    patience: Duration::ZERO,
};

pub(crate) struct Scene {
    pub(crate) database: Database,
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) facts: Facts,
    pub(crate) provider: Arc<Provider>,
    pub(crate) events: LeadEvents,
    pub(crate) inbox_wake: Wake,
    pub(crate) app: App,
    pub(crate) sender: Arc<Sender>,
    _dropped_last: TestDatabase,
}

impl Scene {
    pub(crate) async fn start() -> Self {
        let test = TestDatabase::create(SCHEMA.parts).await;
        let config = DatabaseConfig {
            app_url: test.app_url().into(),
            worker_url: test.worker_url().into(),
            owner_url: test.owner_url().into(),
            max_connections: 16,
        };
        let database = Database::connect(&config).unwrap();
        let clock = Arc::new(FixedClock::new(fixture_time()));
        let ids = Arc::new(SeededIds::new(1));
        let settings = Arc::new(SettingsCache::default());
        let sealer = Sealer::new(&"0123456789abcdef0123456789abcdef".into()).unwrap();
        let provider = Arc::new(Provider::new(clock.clone()));
        let sender = Sender::new(SenderParts {
            database: database.clone(),
            clock: clock.clone(),
            ids: ids.clone(),
            sealer: sealer.clone(),
            providers: of_every_kind(&provider),
            links: Some(links()),
            settings: settings.clone(),
            zone: zone(),
            relay_wake: RelayWake::default(),
        });
        let inbox_wake = Wake::default();
        let subscribing = Subscribing {
            listeners: Arc::new(Listeners::new(database.clone(), clock.clone(), zone())),
            http: HttpClient::new(Timeouts::default(), EndpointRules::default()),
            wake: Wake::default(),
        };
        let events = LeadEvents {
            notifier: Notifier {
                clock: clock.clone(),
                ids: ids.clone(),
                settings: settings.clone(),
                zone: zone(),
            },
            sender_wake: Wake::default(),
            watchers: Arc::new(Watchers::new(database.clone(), WATCH_LIMITS, inbox_wake.clone())),
            fan_out: Arc::new(FanOut::new(subscribing.listeners.clone(), subscribing.wake.clone())),
        };
        let app = App {
            database: database.clone(),
            clock: clock.clone(),
            ids,
            sealer,
            endpoint_rules: EndpointRules::default(),
            links: Some(links()),
            zone: zone(),
            settings,
            relay_wake: RelayWake::default(),
            sender_wake: Wake::default(),
            subscribing,
        };
        Self {
            database,
            clock,
            facts: Facts::new(),
            provider,
            events,
            inbox_wake,
            app,
            sender: Arc::new(sender),
            _dropped_last: test,
        }
    }

    /// Starts with a robot for everybody that may send `per_minute`.
    pub(crate) async fn with_robot(per_minute: i32, reserved: i32) -> Self {
        let scene = Self::start().await;
        scene.put_robot(per_minute, reserved, &[]).await;
        scene
    }

    pub(crate) async fn put_robot(&self, per_minute: i32, reserved: i32, teams: &[&str]) {
        let wanted = WantedChannel {
            name: ROBOT.to_owned(),
            kind: Kind::DingtalkRobot,
            endpoint: "https://oapi.dingtalk.com/robot/send?access_token=t".into(),
            secret: "SEC1".into(),
            account: Account::default(),
            teams: teams.iter().map(|&team| team.to_owned()).collect(),
            limits: Limits { per_minute, reserved },
            enabled: true,
        };
        let request = PutChannelRequest::default();
        self.app.put_channel(&tenant(), wanted, None, &request).await.unwrap();
    }

    /// Makes the channel one of a kind, for everybody; it takes the robot's place.
    pub(crate) async fn put_kind(&self, kind: Kind, limits: Limits) {
        let account = |user: &str, sender: &str| Account {
            user: user.to_owned(),
            sender: sender.to_owned(),
            template: String::new(),
        };
        let (endpoint, account) = match kind {
            Kind::Email => ("smtps://smtp.example.com", account("", "reflex@example.com")),
            Kind::WecomApp => ("https://qyapi.weixin.qq.com", account("ww1", "1000002")),
            _ => ("https://open.feishu.cn/open-apis/bot/v2/hook/t", Account::default()),
        };
        let wanted = WantedChannel {
            name: ROBOT.to_owned(),
            kind,
            endpoint: endpoint.into(),
            secret: "S1".into(),
            account,
            teams: Vec::new(),
            limits,
            enabled: true,
        };
        let request = PutChannelRequest::default();
        self.app.put_channel(&tenant(), wanted, None, &request).await.unwrap();
    }

    /// Makes the channel a webhook for everybody; it takes the robot's place.
    pub(crate) async fn put_webhook(&self, per_minute: i32) {
        let wanted = WantedChannel {
            name: ROBOT.to_owned(),
            kind: Kind::Webhook,
            endpoint: "https://hooks.example/reflex".into(),
            secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into(),
            account: Account::default(),
            teams: Vec::new(),
            limits: Limits {
                per_minute,
                reserved: 0,
            },
            enabled: true,
        };
        let request = PutChannelRequest::default();
        self.app.put_channel(&tenant(), wanted, None, &request).await.unwrap();
    }

    /// Applies events as the consumer does, but without its memory of what was applied before.
    pub(crate) async fn apply(&self, events: &[Envelope]) -> Result<(), HandlerError> {
        let tenants: TenantSet = events.iter().map(|event| event.tenant.clone()).collect();
        let mut tx = self.database.begin("apply_events", &tenants).await?;
        let after = self.events.apply(&mut tx, events).await?;
        tx.commit().await?;
        self.events.applied(after);
        Ok(())
    }

    /// Assigns leads with these numbers to Zhang Wei.
    pub(crate) async fn assign(&mut self, numbers: impl IntoIterator<Item = usize>) {
        let events: Vec<_> = numbers
            .into_iter()
            .map(|number| self.facts.assigned(&format!("a{number}"), "zhang.wei"))
            .collect();
        self.apply(&events).await.unwrap();
    }

    /// Escalates leads with these numbers to Director Liu.
    pub(crate) async fn escalate(&mut self, numbers: impl IntoIterator<Item = usize>) {
        let events: Vec<_> = numbers
            .into_iter()
            .map(|number| self.facts.escalated(&format!("e{number}"), "liu.min", &["dingtalk"]))
            .collect();
        self.apply(&events).await.unwrap();
    }

    /// Returns another sender with a clock of its own.
    pub(crate) fn sender_with(&self, clock: SharedClock) -> Sender {
        Sender::new(SenderParts {
            database: self.database.clone(),
            clock,
            ids: self.app.ids.clone(),
            sealer: self.app.sealer.clone(),
            providers: of_every_kind(&self.provider),
            links: self.app.links.clone(),
            settings: self.app.settings.clone(),
            zone: zone(),
            relay_wake: RelayWake::default(),
        })
    }

    /// Lets the robot send until it rests, and returns how it rests.
    pub(crate) async fn send_all(&self) -> Step {
        loop {
            let step = self.sender.send_next(&tenant(), ROBOT).await.unwrap();
            if step != Step::Went {
                return step;
            }
        }
    }

    /// Returns all messages, oldest first.
    pub(crate) async fn messages(&self) -> Vec<Message> {
        let filter = Filter::default();
        let mut messages = self.app.list_messages(&tenant(), &filter, None, 10_000).await.unwrap();
        messages.reverse();
        messages
    }

    /// Returns the messages by the robot, oldest first.
    pub(crate) async fn robot_messages(&self) -> Vec<Message> {
        let mut messages = self.messages().await;
        messages.retain(|message| message.channel == ROBOT);
        messages
    }

    pub(crate) async fn attempts(&self, message: Uuid) -> Vec<Attempt> {
        self.app.get_message(&tenant(), message).await.unwrap().1
    }

    /// Counts the robot's messages by state, digests apart.
    pub(crate) async fn states(&self) -> BTreeMap<&'static str, usize> {
        let mut states = BTreeMap::new();
        for message in self.robot_messages().await {
            let state = if message.template.starts_with("digest") {
                "digest"
            } else {
                message.state.as_str()
            };
            *states.entry(state).or_default() += 1;
        }
        states
    }

    /// Returns the kinds of the events told so far.
    pub(crate) async fn told(&self) -> Vec<String> {
        let mut tx = self.database.begin("test", &TenantSet::one(&tenant())).await.unwrap();
        sqlx::query_scalar("select replace(kind, 'reflex.notifications.v1.', '') from outbox order by id")
            .fetch_all(&mut *tx)
            .await
            .unwrap()
    }
}

fn zone() -> TimeZone {
    TimeZone::get("Asia/Shanghai").unwrap()
}

/// Makes links that are good for three days.
fn links() -> Arc<Links> {
    let keys = vec![b"a key for tests, long enough to sign".to_vec()];
    Arc::new(Links::new(
        "https://reflex.example",
        keys,
        SignedDuration::from_hours(72),
    ))
}

pub(crate) fn tenant() -> TenantId {
    TENANT.parse().unwrap()
}

pub(crate) fn in_state(messages: &[Message], state: State) -> usize {
    messages.iter().filter(|message| message.state == state).count()
}

pub(crate) fn of_class(messages: &[Message], class: Class) -> Vec<&Message> {
    messages.iter().filter(|message| message.class == class).collect()
}

/// What happens while a message is on its way.
type Happens = Box<dyn Fn() -> BoxFuture<'static, ()> + Send>;

/// A provider that counts what it takes in its own sliding minute.
pub(crate) struct Provider {
    clock: Arc<FixedClock>,
    taken: Mutex<Vec<(Timestamp, Rendered)>>,
    script: Mutex<VecDeque<Outcome>>,
    /// Called within each send, before the answer.
    during: Mutex<Option<Happens>>,
}

impl Provider {
    fn new(clock: Arc<FixedClock>) -> Self {
        Self {
            clock,
            taken: Mutex::default(),
            script: Mutex::default(),
            during: Mutex::default(),
        }
    }

    /// Lets the next sends end like this.
    pub(crate) fn script(&self, outcomes: impl IntoIterator<Item = Outcome>) {
        self.script.lock().extend(outcomes);
    }

    /// Lets something happen while a message is on its way.
    pub(crate) fn during(&self, happens: impl Fn() -> BoxFuture<'static, ()> + Send + 'static) {
        *self.during.lock() = Some(Box::new(happens));
    }

    pub(crate) fn titles(&self) -> Vec<String> {
        self.taken
            .lock()
            .iter()
            .map(|(_, rendered)| rendered.title.clone())
            .collect()
    }

    pub(crate) fn taken(&self) -> Vec<Rendered> {
        self.taken.lock().iter().map(|(_, rendered)| rendered.clone()).collect()
    }

    /// Returns the most messages it took in any sliding minute.
    pub(crate) fn busiest_minute(&self) -> usize {
        let times: Vec<_> = self.taken.lock().iter().map(|(time, _)| *time).collect();
        let in_minute_before = |end: &Timestamp| {
            times
                .iter()
                .filter(|time| *time <= end && end.duration_since(**time).as_secs() < 60)
                .count()
        };
        times.iter().map(in_minute_before).max().unwrap_or(0)
    }
}

impl Channel for Provider {
    fn send<'a>(&'a self, _endpoint: &'a Endpoint, message: &'a Rendered) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let happens = self.during.lock().as_ref().map(|happens| happens());
            if let Some(happens) = happens {
                happens.await;
            }
            let outcome = self.script.lock().pop_front().unwrap_or_else(delivered);
            if matches!(outcome, Outcome::Delivered { .. }) {
                self.taken.lock().push((self.clock.now(), message.clone()));
            }
            outcome
        })
    }
}

/// Lets one stand in for all providers.
pub(crate) fn of_every_kind<C: Channel + 'static>(provider: &Arc<C>) -> Providers {
    Providers {
        dingtalk_robot: provider.clone(),
        wecom_robot: provider.clone(),
        feishu_robot: provider.clone(),
        webhook: provider.clone(),
        email: provider.clone(),
        sms: provider.clone(),
        dingtalk_notice: provider.clone(),
        wecom_app: provider.clone(),
    }
}

pub(crate) fn delivered() -> Outcome {
    Outcome::Delivered {
        provider_code: "0".to_owned(),
        latency: Duration::from_millis(3),
    }
}

pub(crate) fn retry_later() -> Outcome {
    Outcome::RetryLater {
        provider_code: "timeout".to_owned(),
        reason: "no complete answer in time".to_owned(),
        after: None,
    }
}
