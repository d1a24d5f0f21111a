//! The contract between our `DingTalk` channel and the robot endpoint, on both sides of a real socket.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use jiff::SignedDuration;
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use reflex_notifications::channels::dingtalk::DingTalk;
use reflex_notifications::channels::http::{HttpClient, Timeouts};
use reflex_notifications::channels::{Channel, Endpoint, Fault as Blame, Mentions, Outcome, Rendered};
use reflex_notifications::domain::account::Account;
use reflex_notifications::domain::channel::EndpointRules;
use reflex_runtime::clock::{Clock, FixedClock};
use reflex_tests::simulator::{Fault, Message, Robot, Simulator, SimulatorOptions, Stats};
use serde_json::{Value, json};
use tracing::Instrument;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::layer::SubscriberExt;

const TOKEN: &str = "huadong-sales";
const SECRET: &str = "SEC5f0b2c";
const START: &str = "2026-02-13T08:00:00Z";
/// Long enough for a busy machine to answer, short enough to wait for once.
const PATIENCE: Duration = Duration::from_secs(1);

/// The two sides, each with a clock of its own.
struct Scene {
    simulator: Simulator,
    channel: DingTalk,
    provider_clock: Arc<FixedClock>,
    our_clock: Arc<FixedClock>,
}

impl Scene {
    async fn start() -> Self {
        Self::start_with(Timeouts::default()).await
    }

    /// For faults that end only because the client's patience does.
    async fn start_impatient() -> Self {
        Self::start_with(Timeouts {
            connect: PATIENCE,
            whole: PATIENCE,
        })
        .await
    }

    async fn start_with(timeouts: Timeouts) -> Self {
        let start = START.parse().unwrap();
        let provider_clock = Arc::new(FixedClock::new(start));
        let our_clock = Arc::new(FixedClock::new(start));
        let simulator = Simulator::start(SimulatorOptions {
            clock: provider_clock.clone(),
            robots: vec![Robot {
                token: TOKEN.into(),
                secret: Some(SECRET.into()),
                keywords: Vec::new(),
            }],
            ..SimulatorOptions::default()
        })
        .await
        .unwrap();
        Self {
            channel: DingTalk::new(HttpClient::new(timeouts, plain_http()), our_clock.clone()),
            simulator,
            provider_clock,
            our_clock,
        }
    }

    fn endpoint(&self) -> Endpoint {
        endpoint(self.simulator.dingtalk_address(TOKEN), Some(SECRET))
    }

    async fn send(&self, text: &str) -> Outcome {
        self.channel.send(&self.endpoint(), &message(text)).await
    }

    async fn send_failing(&self, fault: Fault) -> Outcome {
        self.simulator.fail(TOKEN, fault, 1);
        self.send("请尽快回电").await
    }

    fn texts(&self) -> Vec<String> {
        self.simulator
            .messages()
            .into_iter()
            .map(|message| message.text)
            .collect()
    }
}

/// The simulator has no certificate.
fn plain_http() -> EndpointRules {
    EndpointRules {
        allow_plain_http: true,
        ..EndpointRules::default()
    }
}

fn endpoint(address: String, secret: Option<&str>) -> Endpoint {
    Endpoint {
        address: address.into(),
        secret: secret.map(Into::into),
        account: Account::default(),
    }
}

fn message(text: &str) -> Rendered {
    Rendered {
        title: "新线索".into(),
        text: text.into(),
        ..Rendered::default()
    }
}

fn is_delivered(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Delivered { provider_code, .. } if provider_code == "0")
}

/// Names an outcome the way the tables of the channels do.
pub(crate) fn kind(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Delivered { .. } => "delivered",
        Outcome::RetryLater { .. } => "retry",
        Outcome::LimitHit { .. } => "limit",
        Outcome::GiveUp {
            fault: Blame::Endpoint, ..
        } => "endpoint",
        Outcome::GiveUp { fault: Blame::Gone, .. } => "gone",
        Outcome::GiveUp {
            fault: Blame::Address, ..
        } => "address",
        Outcome::GiveUp {
            fault: Blame::Message, ..
        } => "message",
    }
}

#[tokio::test]
async fn a_message_arrives_as_it_was_written() {
    let scene = Scene::start().await;
    let message = Rendered {
        title: "新线索 L-2026-000123".into(),
        text: "### 华东机床\n- 设备：**数控 \"DMG\"**\n- 预算：50 万 🚀".into(),
        mentions: Mentions {
            mobiles: vec!["13800000001".into()],
            everyone: false,
        },
        ..Rendered::default()
    };
    let outcome = scene.channel.send(&scene.endpoint(), &message).await;
    assert!(is_delivered(&outcome), "{outcome:?}");
    assert_eq!(
        scene.simulator.messages(),
        [Message {
            provider: "dingtalk".into(),
            token: TOKEN.into(),
            time: START.parse().unwrap(),
            title: message.title,
            text: format!("{}\n\n@13800000001", message.text),
            mobiles: message.mentions.mobiles,
            everyone: false,
            traceparent: None,
        }]
    );
}

/// The vendor's table, written down a second time on purpose: here is what we owe the caller for each answer.
#[tokio::test]
async fn every_documented_code_has_its_consequence() {
    let scene = Scene::start().await;
    for (code, text, expected) in [
        (0, "ok", "delivered"),
        (-1, "系统繁忙", "retry"),
        (88, "access_token is blank", "endpoint"),
        (40_035, "缺少参数 json", "message"),
        (43_002, "需要POST请求", "message"),
        (43_004, "无效的HTTP HEADER Content-Type", "message"),
        (130_101, "send too fast, exceed 20 times per minute", "limit"),
        (130_102, "send too fast", "limit"),
        (300_001, "token is not exist", "endpoint"),
        (300_004, "token is not exist", "endpoint"),
        (300_005, "token is not exist", "endpoint"),
        (
            310_000,
            "sign not match, more: [https://ding-doc.dingtalk.com]",
            "endpoint",
        ),
        (310_000, "ip 203.0.113.7 not in whitelist", "endpoint"),
        (310_000, "keywords not in content", "message"),
        (310_000, "invalid timestamp", "retry"),
        (400_013, "群已被解散", "endpoint"),
        (400_101, "access_token不存在", "endpoint"),
        (400_102, "机器人已停用", "endpoint"),
        (400_105, "不支持的消息类型", "message"),
        (400_106, "机器人不存在", "endpoint"),
        (410_100, "发送速度太快而限流", "limit"),
        (430_101, "含有不安全的外链", "message"),
        (430_102, "含有不合适的文本", "message"),
        (430_103, "含有不合适的图片", "message"),
        (430_104, "含有不合适的内容", "message"),
        (460_101, "message too long, exceed 20000 bytes", "message"),
        (660_026, "sending too many messages per minute", "limit"),
        (777_777, "a code of tomorrow", "retry"),
    ] {
        let message = text.to_owned();
        let outcome = scene.send_failing(Fault::Code { code, message }).await;
        assert_eq!(kind(&outcome), expected, "{code} {text}");
        assert_eq!(outcome.provider_code(), code.to_string());
        if let Outcome::LimitHit { locked_for, .. } = outcome {
            assert_eq!(locked_for, Duration::from_mins(10), "{code}");
        }
    }
    assert_eq!(scene.simulator.stats().faults, 28);
    assert_eq!(scene.simulator.connections(), 1, "the connection is kept alive");
}

#[tokio::test]
async fn a_hanging_provider_costs_our_patience_and_nothing_more() {
    let scene = Scene::start_impatient().await;
    let outcome = scene.send_failing(Fault::Hang { milliseconds: 60_000 }).await;
    assert_eq!((kind(&outcome), outcome.provider_code()), ("retry", "timeout"));
    assert!(scene.texts().is_empty(), "nobody waited for the answer");
    assert!(is_delivered(&scene.send("再试").await));
}

#[tokio::test]
async fn a_reset_connection_is_tried_again_later() {
    let scene = Scene::start().await;
    let outcome = scene.send_failing(Fault::Reset).await;
    assert_eq!((kind(&outcome), outcome.provider_code()), ("retry", "connection"));
    assert!(scene.texts().is_empty());
    assert!(is_delivered(&scene.send("再试").await));
}

#[tokio::test]
async fn a_lost_answer_is_told_apart_from_a_refusal() {
    let scene = Scene::start().await;
    let outcome = scene.send_failing(Fault::LoseAnswer).await;
    assert_eq!((kind(&outcome), outcome.provider_code()), ("retry", "connection"));
    assert_eq!(scene.texts(), ["请尽快回电"], "the message had arrived");
    scene.send("请尽快回电").await;
    assert_eq!(scene.simulator.stats().duplicates, 1, "which the simulator notices");
}

#[tokio::test]
async fn nobody_listening_is_tried_again_later() {
    let scene = Scene::start().await;
    let endpoint = scene.endpoint();
    drop(scene.simulator);
    let outcome = scene.channel.send(&endpoint, &message("喂？")).await;
    assert_eq!((kind(&outcome), outcome.provider_code()), ("retry", "connect"));
}

#[tokio::test]
async fn statuses_of_a_gateway_before_the_provider() {
    let scene = Scene::start().await;
    for (status, wait, expected) in [
        (500, None, ("retry", "http_500")),
        (502, None, ("retry", "http_502")),
        (503, Some(30), ("retry", "http_503")),
        (429, Some(7), ("retry", "http_429")),
        (429, None, ("retry", "http_429")),
        (408, None, ("retry", "http_408")),
        (404, None, ("endpoint", "http_404")),
        (403, None, ("endpoint", "http_403")),
        (302, None, ("retry", "malformed")),
    ] {
        let outcome = scene
            .send_failing(Fault::Status {
                status,
                retry_after_seconds: wait,
            })
            .await;
        assert_eq!((kind(&outcome), outcome.provider_code()), expected, "{status}");
        if let Outcome::RetryLater { after, .. } = outcome {
            assert_eq!(after, wait.map(Duration::from_secs), "{status}");
        }
    }
}

#[tokio::test]
async fn answers_that_are_not_the_robots() {
    let scene = Scene::start().await;
    for body in [
        String::new(),
        "ok".into(),
        "{\"errcode\":".into(),
        "{\"errmsg\":\"ok\"}".into(),
        "{\"errcode\":\"0\",\"errmsg\":\"ok\"}".into(),
        "<html>登录 Wi-Fi</html>".into(),
        format!("{{\"errcode\":0,\"errmsg\":\"{}\"}}", "x".repeat(64 * 1024)),
    ] {
        let start: String = body.chars().take(30).collect();
        let outcome = scene.send_failing(Fault::Body { body }).await;
        assert_eq!(
            (kind(&outcome), outcome.provider_code()),
            ("retry", "malformed"),
            "{start}"
        );
    }
}

#[tokio::test]
async fn a_wrong_secret_is_the_endpoints_fault() {
    let scene = Scene::start().await;
    let address = scene.simulator.dingtalk_address(TOKEN);
    for secret in [Some("SEC-of-yesterday"), Some("")] {
        let outcome = scene
            .channel
            .send(&endpoint(address.clone(), secret), &message("…"))
            .await;
        assert!(
            matches!(&outcome, Outcome::GiveUp { provider_code, reason, fault: Blame::Endpoint }
                if provider_code == "310000" && reason == "sign not match"),
            "{outcome:?}"
        );
    }
    assert_eq!(scene.simulator.stats().rejected, 2);
}

#[tokio::test]
async fn signatures_hold_for_an_hour_of_clock_difference() {
    let scene = Scene::start().await;
    let provider_time = scene.provider_clock.now();
    for (seconds_ahead, expected) in [
        (3600, "delivered"),
        (-3600, "delivered"),
        (3601, "retry"),
        (-3601, "retry"),
        (0, "delivered"),
    ] {
        scene
            .our_clock
            .set(provider_time + SignedDuration::from_secs(seconds_ahead));
        let outcome = scene.send("对表").await;
        assert_eq!(kind(&outcome), expected, "{seconds_ahead}: {outcome:?}");
    }
}

#[tokio::test]
async fn unsigned_and_unknown_robots() {
    let scene = Scene::start().await;
    let unknown = endpoint(scene.simulator.dingtalk_address("nobody"), Some(SECRET));
    let outcome = scene.channel.send(&unknown, &message("…")).await;
    assert_eq!((kind(&outcome), outcome.provider_code()), ("endpoint", "300001"));

    let unsigned = endpoint(scene.simulator.dingtalk_address(TOKEN), None);
    let outcome = scene.channel.send(&unsigned, &message("…")).await;
    assert_eq!(outcome.provider_code(), "310000", "this robot asks for a signature");

    scene.simulator.add_robot(Robot {
        token: "open".into(),
        secret: None,
        keywords: vec!["告警".into()],
    });
    let open = endpoint(scene.simulator.dingtalk_address("open"), None);
    let outcome = scene.channel.send(&open, &message("没有关键词")).await;
    assert_eq!((kind(&outcome), outcome.provider_code()), ("message", "310000"));
    assert!(is_delivered(
        &scene.channel.send(&open, &message("告警：库存不足")).await
    ));
}

#[tokio::test]
async fn the_21st_message_in_a_minute_locks_the_robot_for_ten() {
    let scene = Scene::start().await;
    for number in 1..=20 {
        assert!(is_delivered(&scene.send(&format!("第 {number} 条")).await), "{number}");
        scene.provider_clock.advance(SignedDuration::from_secs(2));
    }
    let outcome = scene.send("第 21 条").await;
    assert!(
        matches!(&outcome, Outcome::LimitHit { provider_code, locked_for, .. }
            if provider_code == "130101" && *locked_for == Duration::from_mins(10)),
        "{outcome:?}"
    );
    scene.provider_clock.advance(SignedDuration::from_secs(599));
    assert_eq!(
        kind(&scene.send("锁定中").await),
        "limit",
        "sending into the lock gains nothing"
    );
    scene.provider_clock.advance(SignedDuration::from_secs(1));
    assert!(is_delivered(&scene.send("解锁").await));
    assert_eq!(
        scene.simulator.stats(),
        Stats {
            accepted: 21,
            rejected: 2,
            limited: 2,
            locks: 1,
            ..Stats::default()
        }
    );
}

#[tokio::test]
async fn robots_are_limited_each_for_itself() {
    let scene = Scene::start().await;
    for number in 0..=20 {
        scene.send(&number.to_string()).await;
    }
    scene.simulator.add_robot(Robot {
        token: "other".into(),
        ..Robot::default()
    });
    let other = endpoint(scene.simulator.dingtalk_address("other"), None);
    assert!(is_delivered(&scene.channel.send(&other, &message("不受影响")).await));
    assert_eq!(scene.simulator.stats_of(TOKEN).locks, 1);
    assert_eq!(scene.simulator.stats_of("other").locks, 0);
}

#[tokio::test]
async fn a_text_of_any_length_is_accepted() {
    let scene = Scene::start().await;
    let outcome = scene.send(&"线索\"🚀\n".repeat(10_000)).await;
    assert!(is_delivered(&outcome), "{outcome:?}");
    assert!(scene.texts()[0].ends_with("…(截断)"));
}

#[tokio::test]
async fn the_trace_reaches_the_provider() {
    opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
    let tracer = SdkTracerProvider::builder().build().tracer("test");
    let subscriber = tracing_subscriber::registry().with(tracing_opentelemetry::layer().with_tracer(tracer));
    let _guard = tracing::subscriber::set_default(subscriber);

    let scene = Scene::start().await;
    let span = tracing::info_span!("notify_owner");
    let trace = span.context().span().span_context().trace_id().to_string();
    scene.send("带追踪").instrument(span).await;

    let traceparent = scene.simulator.messages()[0].traceparent.clone().unwrap();
    assert_eq!(traceparent.split('-').nth(1), Some(trace.as_str()), "{traceparent}");
}

/// Calls the simulator the way another process does.
async fn call(method: &str, url: String, body: Value) -> Value {
    let request = Request::builder()
        .method(method)
        .uri(url)
        .header("content-type", "application/json")
        .body(Full::<Bytes>::from(body.to_string()))
        .unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http();
    let response = client.request(request).await.unwrap();
    assert!(response.status().is_success(), "{}", response.status());
    let body = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&body).unwrap_or_default()
}

#[tokio::test]
async fn another_process_scripts_and_asks_over_the_control_api() {
    let scene = Scene::start().await;
    let url = scene.simulator.url();
    let robot = json!({ "token": "remote", "secret": SECRET });
    call("POST", format!("{url}/control/robots"), robot).await;
    assert_eq!(
        call("GET", format!("{url}/control/robots"), json!({})).await,
        json!([TOKEN, "remote"])
    );

    let fault = json!({ "token": "remote", "times": 2, "kind": "status", "status": 503, "retry_after_seconds": 9 });
    call("POST", format!("{url}/control/faults"), fault).await;
    call(
        "POST",
        format!("{url}/control/faults"),
        json!({ "token": "remote", "kind": "reset" }),
    )
    .await;
    let remote = endpoint(scene.simulator.dingtalk_address("remote"), Some(SECRET));
    let mut codes = Vec::new();
    for _attempt in 0..2 {
        let outcome = scene.channel.send(&remote, &message("远程")).await;
        codes.push(outcome.provider_code().to_owned());
    }
    assert_eq!(codes, ["http_503", "http_503"]);
    call("DELETE", format!("{url}/control/faults?token=remote"), json!({})).await;
    assert!(is_delivered(&scene.channel.send(&remote, &message("远程")).await));

    let messages = call("GET", format!("{url}/control/messages?token=remote"), json!({})).await;
    assert_eq!(messages.as_array().unwrap().len(), 1);
    assert_eq!(messages[0]["text"], "远程");
    let stats: Stats = serde_json::from_value(call("GET", format!("{url}/control/stats"), json!({})).await).unwrap();
    assert_eq!((stats.accepted, stats.faults), (1, 2));
}

/// What no client of ours sends, so that other clients are measured against the same endpoint.
#[tokio::test]
async fn the_robot_endpoint_refuses_what_the_real_one_refuses() {
    let scene = Scene::start().await;
    scene.simulator.add_robot(Robot {
        token: "open".into(),
        ..Robot::default()
    });
    let open = scene.simulator.dingtalk_address("open");
    let nowhere = format!("{}/robot/send", scene.simulator.url());
    let text = json!({ "msgtype": "text", "text": { "content": "好" } });
    for (method, address, body, expected) in [
        ("POST", &open, text.clone(), 0),
        ("GET", &open, text.clone(), 43_002),
        ("POST", &nowhere, text.clone(), 40_035),
        ("POST", &open, json!({ "msgtype": "voice" }), 400_105),
        (
            "POST",
            &open,
            json!({ "msgtype": "text", "text": { "content": " " } }),
            40_035,
        ),
        (
            "POST",
            &open,
            json!({ "msgtype": "markdown", "markdown": { "text": "无标题" } }),
            40_035,
        ),
        (
            "POST",
            &open,
            json!({ "msgtype": "link", "link": { "title": "t", "text": "t" } }),
            40_035,
        ),
        (
            "POST",
            &open,
            json!({ "msgtype": "actionCard", "actionCard": { "title": "t", "text": "t",
                "btns": [{ "title": "b", "actionURL": "https://reflex.example/" }] } }),
            0,
        ),
        (
            "POST",
            &open,
            json!({ "msgtype": "text", "text": { "content": "长".repeat(7_000) } }),
            460_101,
        ),
    ] {
        let answer = call(method, address.clone(), body.clone()).await;
        let start: String = body.to_string().chars().take(60).collect();
        assert_eq!(answer["errcode"], expected, "{method} {start}");
    }
}
