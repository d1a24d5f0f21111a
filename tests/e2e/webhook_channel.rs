//! The contract between our webhooks and a receiver that checks what the specification tells it to, and the addresses
//! that no webhook ever reaches.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::SignedDuration;
use parking_lot::Mutex;
use reflex_notifications::channels::http::{HttpClient, Lookup, Timeouts};
use reflex_notifications::channels::webhook::Webhook;
use reflex_notifications::channels::{About, Channel, Endpoint, Outcome, Rendered};
use reflex_notifications::domain::{account::Account, channel::EndpointRules};
use reflex_runtime::clock::{Clock, FixedClock};
use reflex_tests::simulator::{Fault, Hook, Simulator, SimulatorOptions};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::dingtalk_channel::kind;

const TOKEN: &str = "mes";
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OLD_SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
const START: &str = "2026-02-13T08:00:00Z";
const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

struct Scene {
    simulator: Simulator,
    channel: Webhook,
    our_clock: Arc<FixedClock>,
}

impl Scene {
    async fn start() -> Self {
        let clock = Arc::new(FixedClock::new(START.parse().unwrap()));
        let our_clock = Arc::new(FixedClock::new(START.parse().unwrap()));
        let simulator = Simulator::start(SimulatorOptions {
            clock,
            webhooks: vec![Hook {
                token: TOKEN.into(),
                secret: SECRET.into(),
            }],
            ..SimulatorOptions::default()
        })
        .await
        .unwrap();
        Self {
            channel: Webhook::new(HttpClient::new(Timeouts::default(), plain_http()), our_clock.clone()),
            simulator,
            our_clock,
        }
    }

    async fn send_with(&self, secret: &str) -> Outcome {
        let endpoint = endpoint(self.simulator.webhook_address(TOKEN), secret);
        self.channel.send(&endpoint, &message()).await
    }

    async fn send_failing(&self, fault: Fault) -> Outcome {
        self.simulator.fail(TOKEN, fault, 1);
        self.send_with(SECRET).await
    }
}

/// The simulator has no certificate.
fn plain_http() -> EndpointRules {
    EndpointRules {
        allow_plain_http: true,
        ..EndpointRules::default()
    }
}

fn endpoint(address: String, secret: &str) -> Endpoint {
    Endpoint {
        address: address.into(),
        account: Account::default(),
        secret: Some(secret.into()),
    }
}

fn message() -> Rendered {
    Rendered {
        title: "新线索 L-1".into(),
        text: "- 客户：**华东机床**".into(),
        about: About {
            message: ID.parse().unwrap(),
            template: "lead_assigned".into(),
            class: "assignment".into(),
            subject: "leads/a".into(),
            recipient: "members/zhang.wei".into(),
            create_time: "2026-02-13T07:59:59Z".parse().unwrap(),
        },
        ..Rendered::default()
    }
}

#[tokio::test]
async fn a_message_arrives_signed_and_a_repetition_is_known_by_its_id() {
    let scene = Scene::start().await;
    let outcome = scene.send_failing(Fault::LoseAnswer).await;
    assert_eq!((kind(&outcome), outcome.provider_code()), ("retry", "connection"));
    scene.our_clock.advance(SignedDuration::from_secs(5));
    let outcome = scene.send_with(SECRET).await;
    assert_eq!((kind(&outcome), outcome.provider_code()), ("delivered", "http_204"));

    let deliveries = scene.simulator.deliveries(TOKEN);
    assert_eq!(deliveries.len(), 2);
    assert!(deliveries.iter().all(|delivery| delivery.id == ID));
    let signed: Vec<_> = deliveries
        .iter()
        .map(|delivery| delivery.signed_at.to_string())
        .collect();
    assert_eq!(signed, [START, "2026-02-13T08:00:05Z"], "each attempt is signed anew");
    assert_eq!(deliveries[0].body, deliveries[1].body);
    assert_eq!(
        deliveries[0].body,
        json!({
            "type": "notification.lead_assigned",
            "timestamp": "2026-02-13T07:59:59Z",
            "data": {
                "message": format!("messages/{ID}"),
                "message_class": "assignment",
                "subject": "leads/a",
                "recipient": "members/zhang.wei",
                "title": "新线索 L-1",
                "text": "- 客户：**华东机床**",
            },
        })
    );
}

#[tokio::test]
async fn a_receiver_changes_its_secret_while_both_sign() {
    let scene = Scene::start().await;
    let outcome = scene.send_with(OLD_SECRET).await;
    assert_eq!((kind(&outcome), outcome.provider_code()), ("retry", "http_401"));
    for secret in [format!("{SECRET} {OLD_SECRET}"), format!("{OLD_SECRET} {SECRET}")] {
        assert_eq!(kind(&scene.send_with(&secret).await), "delivered");
    }
    let outcome = scene.send_with("SEC1").await;
    assert_eq!((kind(&outcome), outcome.provider_code()), ("endpoint", "secret"));
}

#[tokio::test]
async fn signatures_hold_for_five_minutes_of_clock_difference() {
    let scene = Scene::start().await;
    let start = scene.our_clock.now();
    for (seconds, expected) in [(300, "delivered"), (-300, "delivered"), (301, "retry"), (-301, "retry")] {
        scene.our_clock.set(start + SignedDuration::from_secs(seconds));
        assert_eq!(kind(&scene.send_with(SECRET).await), expected, "{seconds}");
    }
}

#[tokio::test]
async fn every_status_has_its_consequence() {
    let scene = Scene::start().await;
    for (status, wait, expected) in [
        (200, None, "delivered"),
        (201, None, "delivered"),
        (202, None, "delivered"),
        (299, None, "delivered"),
        (301, None, "endpoint"),
        (302, None, "endpoint"),
        (307, None, "endpoint"),
        (308, None, "endpoint"),
        (400, None, "retry"),
        (401, None, "retry"),
        (404, None, "retry"),
        (408, None, "retry"),
        (410, None, "gone"),
        (422, None, "retry"),
        (429, Some(7), "retry"),
        (429, None, "retry"),
        (500, None, "retry"),
        (502, None, "retry"),
        (503, Some(30), "retry"),
    ] {
        let outcome = scene
            .send_failing(Fault::Status {
                status,
                retry_after_seconds: wait,
            })
            .await;
        let code = format!("http_{status}");
        assert_eq!((kind(&outcome), outcome.provider_code()), (expected, code.as_str()));
        match outcome {
            Outcome::RetryLater { after, .. } => assert_eq!(after, wait.map(Duration::from_secs), "{status}"),
            Outcome::GiveUp { reason, .. } if status == 410 => {
                assert_eq!(reason, "the endpoint says that it is gone for good");
            }
            _ => {}
        }
    }
    assert!(scene.simulator.deliveries(TOKEN).is_empty());
}

#[tokio::test]
async fn an_endless_answer_is_not_read_to_its_end() {
    let scene = Scene::start().await;
    let body = "x".repeat(1024 * 1024);
    let outcome = scene.send_failing(Fault::Body { body }).await;
    assert_eq!((kind(&outcome), outcome.provider_code()), ("delivered", "http_200"));
}

/// A host of the own network that counts who comes, and answers with `answer`.
struct Canary {
    address: SocketAddr,
    visits: Arc<AtomicUsize>,
}

impl Canary {
    async fn start(answer: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let visits = Arc::new(AtomicUsize::new(0));
        let counted = visits.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let mut request = [0; 16 * 1024];
                // Whoever only knocks gets no answer.
                if stream.read(&mut request).await.is_ok_and(|bytes| bytes > 0) {
                    stream.write_all(answer.as_bytes()).await.ok();
                }
            }
        });
        Self { address, visits }
    }

    fn visits(&self) -> usize {
        self.visits.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let scene = Scene::start().await;
    let inside = Canary::start(String::new()).await;
    for status in [
        "301 Moved Permanently",
        "302 Found",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ] {
        let location = format!("http://{}/", inside.address);
        let answer =
            format!("HTTP/1.1 {status}\r\nlocation: {location}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        let outside = Canary::start(answer).await;
        let endpoint = endpoint(format!("http://{}/", outside.address), SECRET);
        let outcome = scene.channel.send(&endpoint, &message()).await;
        assert_eq!(kind(&outcome), "endpoint", "{status}: {outcome:?}");
        assert_eq!(outside.visits(), 1);
    }
    assert_eq!(inside.visits(), 0);
}

/// Names lead where `answers` says, one answer after the other; the last one stays.
fn lookup(answers: Vec<Vec<SocketAddr>>) -> (Lookup, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let (count, answers) = (asked.clone(), Mutex::new(answers));
    let lookup: Lookup = Arc::new(move |_host| {
        count.fetch_add(1, Ordering::SeqCst);
        let mut answers = answers.lock();
        let answer = if answers.len() > 1 {
            answers.remove(0)
        } else {
            answers.first().cloned().unwrap_or_default()
        };
        Box::pin(async move { io::Result::Ok(answer) })
    });
    (lookup, asked)
}

fn webhook(rules: EndpointRules, answers: Vec<Vec<SocketAddr>>) -> (Webhook, Arc<AtomicUsize>) {
    let (lookup, asked) = lookup(answers);
    let timeouts = Timeouts {
        connect: Duration::from_millis(300),
        whole: Duration::from_secs(2),
    };
    let clock = Arc::new(FixedClock::new(START.parse().unwrap()));
    let http = HttpClient::with_lookup(timeouts, rules, lookup);
    (Webhook::new(http, clock), asked)
}

#[tokio::test]
async fn no_address_leads_into_the_own_network() {
    let canary = Canary::start(String::new()).await;
    let port = canary.address.port();
    let (channel, asked) = webhook(EndpointRules::default(), vec![vec![canary.address]]);
    for address in [
        format!("http://127.0.0.1:{port}/"),
        format!("http://hooks.example:{port}/"),
        format!("https://127.0.0.1:{port}/"),
        format!("https://127.1:{port}/"),
        format!("https://2130706433:{port}/"),
        format!("https://017700000001:{port}/"),
        format!("https://0x7f000001:{port}/"),
        format!("https://[::1]:{port}/"),
        format!("https://[::ffff:127.0.0.1]:{port}/"),
        format!("https://localhost:{port}/"),
        format!("https://hooks.example:{port}/"),
        format!("https://hooks.example@127.0.0.1:{port}/"),
        "https://169.254.169.254/latest/meta-data/".into(),
        "https://metadata/".into(),
        "hooks.example".into(),
        "file:///etc/passwd".into(),
        // Allowed to look at: only the answer shows where it leads.
        "https://hooks.example/".into(),
        "https://127.0.0.1.nip.example/".into(),
    ] {
        let outcome = channel.send(&endpoint(address.clone(), SECRET), &message()).await;
        assert_eq!(
            (kind(&outcome), outcome.provider_code()),
            ("endpoint", "address"),
            "{address}"
        );
        assert!(
            !format!("{outcome:?}").contains("hooks.example"),
            "addresses hold tokens"
        );
    }
    assert_eq!(
        asked.load(Ordering::SeqCst),
        2,
        "what is refused by its looks is not looked up"
    );
    assert_eq!(canary.visits(), 0);
}

#[tokio::test]
async fn a_name_that_leads_inside_is_not_followed_whatever_else_it_says() {
    let canary = Canary::start(String::new()).await;
    let port = canary.address.port();
    let at = |ip: &str| SocketAddr::new(ip.parse().unwrap(), port);
    for inside in [
        "127.0.0.1",
        "10.0.0.1",
        "100.100.100.200",
        "169.254.169.254",
        "172.16.0.1",
        "192.168.1.1",
        "0.0.0.0",
        "::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "fd00:ec2::254",
        "fe80::1",
    ] {
        for answer in [
            vec![at(inside)],
            vec![at("1.1.1.1"), at(inside)],
            vec![at(inside), at("1.1.1.1")],
        ] {
            let (channel, _) = webhook(EndpointRules::default(), vec![answer]);
            let outcome = channel
                .send(&endpoint("https://hooks.example/".into(), SECRET), &message())
                .await;
            assert_eq!(
                (kind(&outcome), outcome.provider_code()),
                ("endpoint", "address"),
                "{inside}"
            );
        }
    }
    assert_eq!(canary.visits(), 0);
}

/// What was checked is what is connected to: there is no second look-up in between whose answer could differ.
#[tokio::test]
async fn a_name_that_changes_its_mind_is_checked_each_time() {
    let (first, second) = (Canary::start(String::new()).await, Canary::start(String::new()).await);
    let answers = || vec![vec![first.address], vec![second.address]];
    let listed = EndpointRules {
        allow_plain_http: false,
        allowed_hosts: vec!["hooks.example".into()],
    };
    let hook = endpoint("https://hooks.example/".into(), SECRET);
    let (channel, asked) = webhook(listed, answers());
    channel.send(&hook, &message()).await;
    assert_eq!(
        (asked.load(Ordering::SeqCst), first.visits(), second.visits()),
        (1, 1, 0)
    );

    let (channel, _) = webhook(EndpointRules::default(), vec![Vec::new(), vec![second.address]]);
    let harmless = channel.send(&hook, &message()).await;
    assert_eq!((kind(&harmless), harmless.provider_code()), ("retry", "connect"));
    let inside = channel.send(&hook, &message()).await;
    assert_eq!((kind(&inside), inside.provider_code()), ("endpoint", "address"));
    assert_eq!(second.visits(), 0);
}

/// Also shows that the canary would have noticed.
#[tokio::test]
async fn a_host_that_is_listed_may_lie_inside() {
    let canary = Canary::start("no TLS here".into()).await;
    let rules = EndpointRules {
        allow_plain_http: false,
        allowed_hosts: vec!["mes.plant".into()],
    };
    let (channel, _) = webhook(rules, vec![vec![canary.address]]);
    let listed = channel
        .send(&endpoint("https://mes.plant/hook".into(), SECRET), &message())
        .await;
    assert_eq!((kind(&listed), listed.provider_code()), ("retry", "connect"));
    assert_eq!(canary.visits(), 1);
    let unlisted = channel
        .send(&endpoint("https://hooks.example/".into(), SECRET), &message())
        .await;
    assert_eq!((kind(&unlisted), unlisted.provider_code()), ("endpoint", "address"));
    assert_eq!(canary.visits(), 1);
}
