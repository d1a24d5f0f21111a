//! The contract between our `WeCom` channel and the robot endpoint, on both sides of a real socket.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use reflex_notifications::channels::http::{HttpClient, Timeouts};
use reflex_notifications::channels::wecom::Wecom;
use reflex_notifications::channels::{Channel, Endpoint, Mentions, Outcome, Rendered};
use reflex_notifications::domain::account::Account;
use reflex_notifications::domain::channel::EndpointRules;
use reflex_runtime::clock::FixedClock;
use reflex_tests::simulator::{Message, Simulator, SimulatorOptions, Stats, WecomRobot};

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
            account: Account::default(),
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
