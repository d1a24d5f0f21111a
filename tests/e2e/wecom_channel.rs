//! The contract between our `WeCom` channel and the robot endpoint, on both sides of a real socket.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use reflex_notifications::channels::http::{HttpClient, Timeouts};
use reflex_notifications::channels::wecom::Wecom;
use reflex_notifications::channels::{Channel, Endpoint, Mentions, Outcome, Rendered};
use reflex_notifications::domain::channel::EndpointRules;
use reflex_runtime::clock::FixedClock;
use reflex_tests::simulator::{Fault, Message, Simulator, SimulatorOptions, Stats, WecomRobot};

use crate::dingtalk_channel::kind;

const KEY: &str = "693a91f6-7xxx-4bc4-97a0-0ec2sifa5aaa";
const START: &str = "2026-02-13T08:00:00Z";

struct Scene {
    simulator: Simulator,
    channel: Wecom,
    provider_clock: Arc<FixedClock>,
}

impl Scene {
    async fn start() -> Self {
        let provider_clock = Arc::new(FixedClock::new(START.parse().unwrap()));
        let simulator = Simulator::start(SimulatorOptions {
            clock: provider_clock.clone(),
            wecom_robots: vec![WecomRobot { key: KEY.into() }],
            ..SimulatorOptions::default()
        })
        .await
        .unwrap();
        let rules = EndpointRules {
            allow_plain_http: true,
            ..EndpointRules::default()
        };
        Self {
            channel: Wecom::new(HttpClient::new(Timeouts::default(), rules)),
            simulator,
            provider_clock,
        }
    }

    async fn send_to(&self, key: &str, message: &Rendered) -> Outcome {
        let endpoint = Endpoint {
            address: self.simulator.wecom_address(key).into(),
            secret: None,
        };
        self.channel.send(&endpoint, message).await
    }

    async fn send(&self, text: &str) -> Outcome {
        self.send_to(KEY, &message(text, &[])).await
    }
}

fn message(text: &str, mobiles: &[&str]) -> Rendered {
    Rendered {
        title: "新线索".into(),
        text: text.into(),
        mentions: Mentions {
            mobiles: mobiles.iter().map(|&mobile| mobile.to_owned()).collect(),
            everyone: false,
        },
        ..Rendered::default()
    }
}

fn is_delivered(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Delivered { provider_code, .. } if provider_code == "0")
}

#[tokio::test]
async fn markdown_arrives_as_it_was_written_and_calls_arrive_with_plain_words() {
    let scene = Scene::start().await;
    let markdown = "### 华东机床\n- 设备：**数控 \"DMG\"**\n- 预算：50 万 🚀";
    assert!(is_delivered(&scene.send(markdown).await));
    let called = message(markdown, &["13800000001", "13800000002"]);
    assert!(is_delivered(&scene.send_to(KEY, &called).await));
    let expected = |text: &str, mobiles: Vec<String>| Message {
        provider: "wecom".into(),
        token: KEY.into(),
        time: START.parse().unwrap(),
        title: String::new(),
        text: text.into(),
        mobiles,
        everyone: false,
        traceparent: None,
    };
    assert_eq!(
        scene.simulator.messages(),
        [
            expected(markdown, Vec::new()),
            expected(
                "华东机床\n- 设备：数控 \"DMG\"\n- 预算：50 万 🚀",
                called.mentions.mobiles
            )
        ]
    );
    assert_eq!(scene.simulator.connections(), 1, "the connection is kept alive");
}

#[tokio::test]
async fn everyone_is_called_by_the_list_alone() {
    let scene = Scene::start().await;
    let mut message = message("停机 <@all>", &[]);
    message.mentions.everyone = true;
    assert!(is_delivered(&scene.send_to(KEY, &message).await));
    assert!(scene.simulator.messages()[0].everyone);
    assert!(is_delivered(&scene.send("停机 <@all>").await));
    let last = scene.simulator.messages().remove(1);
    assert_eq!((last.text.as_str(), last.everyone), ("停机 ＜@all>", false));
}

/// The vendor's table, written down a second time on purpose: here is what we owe the caller for each answer.
#[tokio::test]
async fn every_documented_code_has_its_consequence() {
    let scene = Scene::start().await;
    for (code, text, expected) in [
        (0, "ok", "delivered"),
        (-1, "system busy", "retry"),
        (40_008, "invalid message type", "message"),
        (40_035, "invalid parameter", "message"),
        (40_058, "markdown.content exceed max length 4096", "message"),
        (43_002, "require POST method", "message"),
        (44_001, "empty media data", "message"),
        (44_004, "empty content", "message"),
        (45_002, "content size out of limit", "message"),
        (45_009, "api freq out of limit", "limit"),
        (45_033, "api concurrent out of limit", "retry"),
        (47_001, "data format error", "message"),
        (60_020, "not allow to access from your ip", "endpoint"),
        (93_000, "invalid webhook url", "endpoint"),
        (93_004, "robot disabled", "endpoint"),
        (93_008, "robot not in chat", "endpoint"),
        (777_777, "a code of tomorrow", "retry"),
    ] {
        let message = text.to_owned();
        scene.simulator.fail(KEY, Fault::Code { code, message }, 1);
        let outcome = scene.send("请尽快回电").await;
        assert_eq!(kind(&outcome), expected, "{code} {text}");
        assert_eq!(outcome.provider_code(), code.to_string());
        if let Outcome::LimitHit { locked_for, .. } = outcome {
            assert_eq!(locked_for, Duration::from_mins(1));
        }
    }
    assert_eq!(scene.simulator.stats().accepted, 0, "HTTP 200 is no success");
}

#[tokio::test]
async fn a_removed_robot_is_the_endpoints_fault_and_other_answers_are_read_as_for_every_robot() {
    let scene = Scene::start().await;
    let outcome = scene.send_to("nobody", &message("…", &[])).await;
    assert_eq!((kind(&outcome), outcome.provider_code()), ("endpoint", "93000"));
    for (fault, expected) in [
        (Fault::Reset, ("retry", "connection")),
        (Fault::LoseAnswer, ("retry", "connection")),
        (Fault::Body { body: "<html>".into() }, ("retry", "malformed")),
        (
            Fault::Status {
                status: 503,
                retry_after_seconds: Some(30),
            },
            ("retry", "http_503"),
        ),
        (
            Fault::Status {
                status: 404,
                retry_after_seconds: None,
            },
            ("endpoint", "http_404"),
        ),
    ] {
        scene.simulator.fail(KEY, fault.clone(), 1);
        let outcome = scene.send("请尽快回电").await;
        assert_eq!((kind(&outcome), outcome.provider_code()), expected, "{fault:?}");
    }
}

#[tokio::test]
async fn the_21st_message_in_a_minute_is_one_too_many() {
    let scene = Scene::start().await;
    for number in 1..=20 {
        assert!(is_delivered(&scene.send(&format!("第 {number} 条")).await), "{number}");
        scene.provider_clock.advance(SignedDuration::from_secs(2));
    }
    let outcome = scene.send("第 21 条").await;
    assert!(
        matches!(&outcome, Outcome::LimitHit { provider_code, locked_for, .. }
            if provider_code == "45009" && *locked_for == Duration::from_mins(1)),
        "{outcome:?}"
    );
    scene.provider_clock.advance(SignedDuration::from_mins(1));
    assert!(is_delivered(&scene.send("一分钟后").await));
    assert_eq!(
        scene.simulator.stats_of(KEY),
        Stats {
            accepted: 21,
            rejected: 1,
            limited: 1,
            locks: 1,
            ..Stats::default()
        }
    );
}

#[tokio::test]
async fn a_text_of_any_length_is_accepted_in_both_forms() {
    let scene = Scene::start().await;
    for unit in ["线索\"🚀\n", "a", "\u{1}", "**线**"] {
        let long = unit.repeat(10_000);
        for mobiles in [&[][..], &["13800000001"]] {
            let outcome = scene.send_to(KEY, &message(&long, mobiles)).await;
            assert!(is_delivered(&outcome), "{unit:?} {mobiles:?} {outcome:?}");
        }
    }
    let outcome = scene.send_to(KEY, &message("", &["13800000001"])).await;
    assert!(is_delivered(&outcome), "the title stands in: {outcome:?}");
}
