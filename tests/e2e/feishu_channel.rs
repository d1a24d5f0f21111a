//! The contract between our Feishu channel and the robot endpoint, on both sides of a real socket.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use reflex_notifications::channels::feishu::Feishu;
use reflex_notifications::channels::http::{HttpClient, Timeouts};
use reflex_notifications::channels::{Channel, Endpoint, Outcome, Rendered};
use reflex_notifications::domain::channel::EndpointRules;
use reflex_runtime::clock::FixedClock;
use reflex_tests::simulator::{Fault, FeishuRobot, Message, Simulator, SimulatorOptions, Stats};

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

/// The vendor's codes, written down a second time on purpose: here is what we owe the caller for each answer.
#[tokio::test]
async fn every_documented_code_has_its_consequence() {
    let scene = Scene::start().await;
    for (code, text, expected) in [
        (0, "success", "delivered"),
        (9_499, "Bad Request", "message"),
        (10_003, "invalid param", "message"),
        (11_232, "create message trigger frequency limit", "limit"),
        (11_247, "internal send message failed", "retry"),
        (
            19_001,
            "param invalid: incoming webhook access token invalid",
            "endpoint",
        ),
        (19_002, "params error, msg_type need", "message"),
        (
            19_021,
            "sign match fail or timestamp is not within one hour from current time",
            "endpoint",
        ),
        (19_022, "Ip Not Allowed", "endpoint"),
        (19_024, "Key Words Not Found", "endpoint"),
        (230_020, "this operation triggers the frequency limit", "limit"),
        (99_991_400, "request trigger frequency limit", "limit"),
        (777_777, "a code of tomorrow", "retry"),
    ] {
        let message = text.to_owned();
        scene.simulator.fail(TOKEN, Fault::Code { code, message }, 1);
        let outcome = scene.send("请尽快回电").await;
        assert_eq!(kind(&outcome), expected, "{code} {text}");
        assert_eq!(outcome.provider_code(), code.to_string());
        if let Outcome::LimitHit { locked_for, .. } = outcome {
            assert_eq!(locked_for, Duration::from_secs(10));
        }
    }
    assert_eq!(scene.simulator.stats().accepted, 0, "HTTP 200 is no success");
}

#[tokio::test]
async fn a_removed_robot_is_the_endpoints_fault_and_other_answers_are_read_as_for_every_robot() {
    let scene = Scene::start().await;
    let outcome = scene.send_with("nobody", None, "…").await;
    assert_eq!((kind(&outcome), outcome.provider_code()), ("endpoint", "19001"));
    for (fault, expected) in [
        (Fault::Reset, ("retry", "connection")),
        (Fault::LoseAnswer, ("retry", "connection")),
        (Fault::Body { body: "<html>".into() }, ("retry", "malformed")),
        (
            Fault::Status {
                status: 429,
                retry_after_seconds: Some(30),
            },
            ("retry", "http_429"),
        ),
        (
            Fault::Status {
                status: 404,
                retry_after_seconds: None,
            },
            ("endpoint", "http_404"),
        ),
    ] {
        scene.simulator.fail(TOKEN, fault.clone(), 1);
        let outcome = scene.send("请尽快回电").await;
        assert_eq!((kind(&outcome), outcome.provider_code()), expected, "{fault:?}");
    }
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
