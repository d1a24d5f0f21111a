//! Providers of messages, played over real HTTP: they check what the real ones check, enforce their limits and can be
//! told to fail. One file per provider; ledger, limits, faults and control are shared.
//!
//! Beyond the providers' own paths there is a control API: `POST /control/robots`, `/control/wecom-robots`,
//! `/control/feishu-robots`, `/control/webhooks`, `/control/applications` and `/control/sms-accounts` add a robot, an endpoint or
//! an account, `POST /control/faults` scripts failures, `GET /control/messages` and `GET /control/stats` tell what was accepted and refused.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use reflex_runtime::clock::{SharedClock, SystemClock};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub use applications::Application;
pub use dingtalk::Robot;
pub use fault::Fault;
pub use feishu::FeishuRobot;
pub use ledger::{Message, Stats};
pub use mail::{MAIL_HOST, Mail, MailFault, MailServer, MailStep, Tls};
pub use sms::SmsAccount;
pub use webhook::{Delivery, Hook};
pub use wecom::WecomRobot;

mod applications;
mod call;
mod control;
mod dingtalk;
mod fault;
mod feishu;
mod ledger;
mod limit;
mod mail;
mod registry;
mod server;
mod sms;
mod webhook;
mod wecom;

/// How the providers are set up.
#[derive(Clone)]
pub struct SimulatorOptions {
    pub listen: SocketAddr,
    /// The providers' own clock: it dates messages, judges signatures and ends locks.
    pub clock: SharedClock,
    /// `DingTalk` robots that exist from the start.
    pub robots: Vec<Robot>,
    /// `WeCom` robots that exist from the start.
    pub wecom_robots: Vec<WecomRobot>,
    /// Feishu robots that exist from the start.
    pub feishu_robots: Vec<FeishuRobot>,
    /// Receivers of webhooks that exist from the start.
    pub webhooks: Vec<Hook>,
    /// Messages a robot takes in a sliding minute.
    pub limit_per_minute: usize,
    /// How long a `DingTalk` robot refuses everything after one message more.
    pub lock: Duration,
}

impl Default for SimulatorOptions {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            clock: Arc::new(SystemClock::default()),
            robots: Vec::new(),
            wecom_robots: Vec::new(),
            feishu_robots: Vec::new(),
            webhooks: Vec::new(),
            limit_per_minute: 20,
            lock: Duration::from_mins(10),
        }
    }
}

/// The running providers; dropping it closes the listener and every connection.
pub struct Simulator {
    address: SocketAddr,
    shared: Arc<Shared>,
    /// Held, not read: the tasks end with it.
    _tasks: JoinSet<()>,
}

/// What the handlers share.
struct Shared {
    clock: SharedClock,
    ledger: ledger::Ledger,
    faults: fault::Faults,
    dingtalk: dingtalk::Robots,
    wecom: wecom::Robots,
    feishu: feishu::Robots,
    webhooks: webhook::Hooks,
    applications: applications::Applications,
    sms: sms::Accounts,
    registry: registry::Companies,
    connections: AtomicU64,
}

impl Simulator {
    /// Binds and serves; the port is taken when this returns.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub async fn start(options: SimulatorOptions) -> io::Result<Self> {
        let listener = TcpListener::bind(options.listen).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            clock: options.clock,
            ledger: ledger::Ledger::default(),
            faults: fault::Faults::default(),
            dingtalk: dingtalk::Robots::new(options.robots, options.limit_per_minute, options.lock),
            wecom: wecom::Robots::new(options.wecom_robots, options.limit_per_minute),
            feishu: feishu::Robots::new(options.feishu_robots),
            webhooks: webhook::Hooks::new(options.webhooks),
            applications: applications::Applications::default(),
            sms: sms::Accounts::default(),
            registry: registry::Companies::default(),
            connections: AtomicU64::new(0),
        });
        let routes = Router::new()
            .merge(dingtalk::routes())
            .merge(wecom::routes())
            .merge(feishu::routes())
            .merge(webhook::routes())
            .merge(applications::routes())
            .merge(sms::routes())
            .merge(registry::routes())
            .merge(control::routes())
            .with_state(shared.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(server::serve(listener, routes, shared.clone()));
        Ok(Self {
            address,
            shared,
            _tasks: tasks,
        })
    }

    /// Returns the base URL, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the address a person would copy from the robot's settings page.
    #[must_use]
    pub fn dingtalk_address(&self, token: &str) -> String {
        format!("{}{}?access_token={token}", self.url(), dingtalk::PATH)
    }

    /// Adds a robot, or replaces the one with the same token, limits forgotten.
    pub fn add_robot(&self, robot: Robot) {
        self.shared.dingtalk.add(robot);
    }

    /// Returns the address a person would copy from the settings page of a Feishu robot.
    #[must_use]
    pub fn feishu_address(&self, token: &str) -> String {
        format!("{}{}/{token}", self.url(), feishu::PATH)
    }

    /// Adds a Feishu robot, or replaces the one with the same token, limits forgotten.
    pub fn add_feishu_robot(&self, robot: FeishuRobot) {
        self.shared.feishu.add(robot);
    }

    /// Returns the address a person would copy from the settings page of a `WeCom` robot.
    #[must_use]
    pub fn wecom_address(&self, key: &str) -> String {
        format!("{}{}?key={key}", self.url(), wecom::PATH)
    }

    /// Adds a `WeCom` robot, or replaces the one with the same key, limits forgotten.
    pub fn add_wecom_robot(&self, robot: WecomRobot) {
        self.shared.wecom.add(robot);
    }

    /// Adds an application of `DingTalk` or `WeCom`, both reached at [`Self::url`], or replaces the one of the same user.
    pub fn add_application(&self, application: Application) {
        self.shared.applications.add(application);
    }

    /// Ends every token of an application, as time does.
    pub fn expire_tokens(&self, user: &str) {
        self.shared.applications.expire(user);
    }

    /// Counts the tokens an application was given.
    #[must_use]
    pub fn tokens_given(&self, user: &str) -> usize {
        self.shared.applications.tokens_given(user)
    }

    /// Returns the address of text messages.
    #[must_use]
    pub fn sms_address(&self) -> String {
        format!("{}{}", self.url(), sms::PATH)
    }

    /// Adds an account for text messages, or replaces the one with the same key.
    pub fn add_sms_account(&self, account: SmsAccount) {
        self.shared.sms.add(account);
    }

    /// Returns the base URL of the registry of companies; faults are scripted under the token `registry`.
    #[must_use]
    pub fn registry_url(&self) -> String {
        format!("{}{}", self.url(), registry::PATH)
    }

    /// Lists a company under a domain in the registry.
    pub fn list_company(&self, domain: &str, company: &str, industry_code: &str) {
        self.shared.registry.add(domain, company, industry_code);
    }

    /// Returns the address at which a receiver of webhooks listens.
    #[must_use]
    pub fn webhook_address(&self, token: &str) -> String {
        format!("{}{}{token}", self.url(), webhook::PATH)
    }

    /// Adds a receiver of webhooks, or changes the secrets of the one with the same token.
    pub fn add_webhook(&self, hook: Hook) {
        self.shared.webhooks.add(hook);
    }

    /// Returns what a receiver of webhooks accepted, repetitions included, oldest first.
    #[must_use]
    pub fn deliveries(&self, token: &str) -> Vec<Delivery> {
        self.shared.webhooks.deliveries(token)
    }

    /// Lets the next `times` calls of a robot fail; faults queue up behind one another.
    pub fn fail(&self, token: &str, fault: Fault, times: usize) {
        self.shared.faults.script(token, fault, times);
    }

    /// Forgets the faults still scripted for a robot.
    pub fn heal(&self, token: &str) {
        self.shared.faults.clear(token);
    }

    /// Returns every accepted message, oldest first.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        self.shared.ledger.messages(None)
    }

    /// Returns the messages one robot accepted, oldest first.
    #[must_use]
    pub fn messages_of(&self, token: &str) -> Vec<Message> {
        self.shared.ledger.messages(Some(token))
    }

    /// Returns the counts over all robots.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.ledger.stats(None)
    }

    /// Returns the counts of one robot.
    #[must_use]
    pub fn stats_of(&self, token: &str) -> Stats {
        self.shared.ledger.stats(Some(token))
    }

    /// Counts the TCP connections accepted so far, to tell whether a client keeps them alive.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }
}
