//! The contract between our Feishu channel and the robot endpoint, on both sides of a real socket.

use std::sync::Arc;

use jiff::SignedDuration;
use reflex_notifications::channels::feishu::Feishu;
use reflex_notifications::channels::http::{HttpClient, Timeouts};
use reflex_notifications::channels::{Channel, Endpoint, Outcome, Rendered};
use reflex_notifications::domain::account::Account;
use reflex_notifications::domain::channel::EndpointRules;
use reflex_runtime::clock::FixedClock;
use reflex_tests::simulator::{FeishuRobot, Message, Simulator, SimulatorOptions, Stats};

use crate::dingtalk_channel::kind;

const TOKEN: &str = "8a6d3c1f-5b2e-4f7a-9c0d-1e2f3a4b5c6d";
const SECRET: &str = "W6kQ8mVx2c";
const START: &str = "2026-02-13T08:00:00Z";

struct Scene {
    simulator: Simulator,
    channel: Feishu,
    our_clock: Arc<FixedClock>,
    provider_clock: Arc<FixedClock>,
}

impl Scene {
    async fn start() -> Self {
        let provider_clock = Arc::new(FixedClock::new(START.parse().unwrap()));
        let our_clock = Arc::new(FixedClock::new(START.parse().unwrap()));
        let simulator = Simulator::start(SimulatorOptions {
            clock: provider_clock.clone(),
            feishu_robots: vec![FeishuRobot {
                token: TOKEN.into(),
                secret: Some(SECRET.into()),
            }],
            ..SimulatorOptions::default()
        })
        .await
        .unwrap();
        let rules = EndpointRules {
            allow_plain_http: true,
            ..EndpointRules::default()
        };
        Self {
            channel: Feishu::new(HttpClient::new(Timeouts::default(), rules), our_clock.clone()),
            simulator,
            our_clock,
            provider_clock,
        }
    }

    async fn send_with(&self, token: &str, secret: Option<&str>, text: &str) -> Outcome {
        let endpoint = Endpoint {
            address: self.simulator.feishu_address(token).into(),
            secret: secret.map(Into::into),
            account: Account::default(),
        };
        let message = Rendered {
            title: "新线索".into(),
            text: text.into(),
            ..Rendered::default()
        };
        self.channel.send(&endpoint, &message).await
    }

    async fn send(&self, text: &str) -> Outcome {
        self.send_with(TOKEN, Some(SECRET), text).await
    }
}

fn is_delivered(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Delivered { provider_code, .. } if provider_code == "0")
}

#[tokio::test]
async fn a_signed_card_arrives_as_it_was_written() {
    let scene = Scene::start().await;
    let markdown = "**华东机床**\n- 设备：数控 \"DMG\"\n- 预算：50 万 🚀";
    assert!(is_delivered(&scene.send(markdown).await));
    assert!(is_delivered(&scene.send("二").await));
    let expected = Message {
        provider: "feishu".into(),
        token: TOKEN.into(),
        time: START.parse().unwrap(),
        title: "新线索".into(),
        text: markdown.into(),
        mobiles: Vec::new(),
        everyone: false,
        traceparent: None,
    };
    assert_eq!(scene.simulator.messages()[0], expected);
    assert_eq!(scene.simulator.connections(), 1, "the connection is kept alive");
}

#[tokio::test]
async fn a_signature_of_another_secret_or_hour_is_the_endpoints_fault() {
    let scene = Scene::start().await;
    for secret in [None, Some("other")] {
        let outcome = scene.send_with(TOKEN, secret, "…").await;
        assert_eq!((kind(&outcome), outcome.provider_code()), ("endpoint", "19021"));
    }
    scene.our_clock.advance(SignedDuration::from_mins(61));
    let outcome = scene.send("…").await;
    assert_eq!((kind(&outcome), outcome.provider_code()), ("endpoint", "19021"));
    scene.provider_clock.advance(SignedDuration::from_mins(2));
    assert!(is_delivered(&scene.send("…").await));
}

#[tokio::test]
async fn the_sixth_in_a_second_and_the_101st_in_a_minute_are_too_many() {
    let scene = Scene::start().await;
    for number in 1..=5 {
        assert!(is_delivered(&scene.send(&format!("第 {number} 条")).await), "{number}");
    }
    assert_eq!(kind(&scene.send("…").await), "limit");
    for number in 6..=100 {
        scene.provider_clock.advance(SignedDuration::from_millis(500));
        assert!(is_delivered(&scene.send(&format!("第 {number} 条")).await), "{number}");
    }
    scene.provider_clock.advance(SignedDuration::from_millis(500));
    assert_eq!(kind(&scene.send("…").await), "limit");
    assert_eq!(
        scene.simulator.stats_of(TOKEN),
        Stats {
            accepted: 100,
            rejected: 2,
            limited: 2,
            ..Stats::default()
        }
    );
}
