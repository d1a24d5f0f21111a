//! An advertising platform posts signed bodies of its own shape: each is a lead with an owner, once, and nothing else is.

use std::sync::Arc;

use jiff::SignedDuration;
use reflex_rpc::identity::Role;
use reflex_runtime::{clock::FixedClock, ids::SystemIds};
use reflex_signatures::standard_webhooks::{ID_HEADER, Keys, SIGNATURE_HEADER, TIMESTAMP_HEADER};
use reflex_tenancy::TenantId;
use reflex_testing::{eventually, fixture_time};
use reflex_tests::{
    suite::Suite,
    web::{self, Answer},
};
use reflexctl::{
    apply::{PlanOptions, plan},
    bundle::{Bundle, Variables},
    connection::{Address, Connection},
    export::export,
};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use crate::any_rpc::Wires;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const BEFORE: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
const BUNDLE: &str = r"
tenant: huadong
---
kind: WebhookSource
name: webhookSources/baidu
source: 百度推广
secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX
default_product: 骨科耗材
posts_per_minute: 12
enabled: true
mapping:
  version: 1
  fields:
    external_id: /data/clue_id
    company: {from: /data/corp, required: true}
    phone: {from: [/data/phones/*/number, /data/tel], rest: attributes.备用电话}
    urgency: {from: /data/level, values: {'1': red}, otherwise: green}
    budget_min_fen: {from: /data/budget_yuan, times: 100}
";

struct Scene {
    suite: Suite,
    wires: Wires,
    clock: Arc<FixedClock>,
    tenant: TenantId,
}

impl Scene {
    async fn start() -> Self {
        let clock = Arc::new(FixedClock::new(fixture_time()));
        let suite = Suite::start_with(&clock).await;
        let tenant = "huadong".parse().unwrap();
        suite.set_up(&tenant, &["members/an"], 50).await;
        Self {
            wires: Wires::to(&suite),
            suite,
            clock,
            tenant,
        }
    }

    fn connection(&self) -> Connection {
        let address = Address {
            server: Some(self.suite.leads_url()),
            notifications: Some(self.suite.notifications_url()),
            token: Some(self.suite.token(&[&self.tenant], Role::Admin, None)),
            tenant: Some(self.tenant.clone()),
        };
        Connection::new(&address).unwrap()
    }

    /// Applies a bundle and returns how much it changes.
    async fn apply(&self, text: &str) -> usize {
        let bundle = Bundle::parse("baidu.yaml", text, None, &Variables::new()).unwrap();
        let connection = self.connection();
        let plan = plan(&connection, &bundle, PlanOptions::default()).await.unwrap();
        plan.run(&connection, &SystemIds, |_| {}).await.unwrap();
        plan.count()
    }

    fn url(&self, source: &str, tenant: &str) -> String {
        format!("{}/v1/webhooks/{source}?tenant={tenant}", self.suite.gateway_url())
    }

    /// Signs a body now and posts it.
    async fn post(&self, secret: &str, id: &str, body: &str) -> Answer {
        let headers = self.headers(secret, id, body);
        web::post(&self.url("baidu", "huadong"), &headers, body.to_owned()).await
    }

    fn headers(&self, secret: &str, id: &str, body: &str) -> [(&'static str, String); 3] {
        use reflex_runtime::clock::Clock as _;
        let now = self.clock.now().as_second();
        let signature = Keys::parse(secret).unwrap().sign(id, now, body.as_bytes());
        [
            (ID_HEADER, id.to_owned()),
            (TIMESTAMP_HEADER, now.to_string()),
            (SIGNATURE_HEADER, signature),
        ]
    }

    async fn ask(&self, method: &str, request: Value) -> Value {
        let method = format!("reflex.leads.v1.{method}");
        self.wires.ask(&self.suite, &self.tenant, &method, request).await
    }
}

fn body(clue: u32) -> String {
    json!({"event": "clue", "data": {"clue_id": clue, "corp": "苏州锻压", "level": 1, "budget_yuan": 128_000.5,
        "phones": [{"number": "13800138000"}], "tel": "0512-65880000"}})
    .to_string()
}

#[track_caller]
fn assert_problem(answer: &Answer, status: u16, reason: &str) {
    assert_eq!(answer.status, status, "{}", answer.text);
    assert_eq!(answer.json()["reason"], reason, "{}", answer.text);
    assert_eq!(answer.headers["content-type"], "application/problem+json");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_body_becomes_a_lead_with_an_owner_once() {
    let scene = Scene::start().await;
    assert_eq!(scene.apply(BUNDLE).await, 1);
    let first = scene.post(SECRET, "msg_1", &body(7)).await;
    assert_eq!(first.status, 202, "{}", first.text);
    let answer = first.json();
    let name = answer["name"].as_str().unwrap();
    let lead = eventually("the lead has an owner", async || {
        let found = scene.ask("LeadService/GetLead", json!({"name": name})).await;
        (found["lead"]["owner"] == "members/an").then(|| found["lead"].clone())
    })
    .await;
    for (field, expected) in [
        ("source", "百度推广"),
        ("externalId", "7"),
        ("company", "苏州锻压"),
        ("phone", "13800138000"),
        ("product", "骨科耗材"),
        ("urgency", "URGENCY_RED"),
        ("budgetMinFen", "12800050"),
    ] {
        assert_eq!(lead[field], expected, "{field} of {lead}");
    }
    assert_eq!(lead["attributes"]["备用电话"], "0512-65880000");

    // A repetition answers as the first time, also under another id, and signed with the key before.
    for (secret, id) in [(SECRET, "msg_1"), (SECRET, "msg_2"), (BEFORE, "msg_3")] {
        let again = scene.post(secret, id, &body(7)).await;
        assert_eq!((again.status, again.json()), (202, answer.clone()));
    }
    // Without an external id the message's own counts.
    let anonymous = r#"{"data": {"corp": "无锡机床"}}"#;
    let one = scene.post(SECRET, "msg_9", anonymous).await.json();
    assert_eq!(scene.post(SECRET, "msg_9", anonymous).await.json(), one);
    assert_ne!(scene.post(SECRET, "msg_10", anonymous).await.json(), one);
    scene.suite.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_signed_or_not_meant_is_refused() {
    let scene = Scene::start().await;
    scene.apply(BUNDLE).await;
    let (url, good) = (scene.url("baidu", "huadong"), body(7));
    let headers = scene.headers(SECRET, "msg_1", &good);

    let tampered = web::post(&url, &headers, body(8)).await;
    assert_problem(&tampered, 401, "SIGNATURE_REFUSED");
    let unsigned = web::post(&url, &[], good.clone()).await;
    assert_problem(&unsigned, 401, "SIGNATURE_REFUSED");
    let other = Keys::parse("whsec_////////////////////////////////").unwrap();
    let mut forged = headers.clone();
    forged[2].1 = other.sign("msg_1", forged[1].1.parse().unwrap(), good.as_bytes());
    assert_problem(&web::post(&url, &forged, good.clone()).await, 401, "SIGNATURE_REFUSED");
    scene.clock.advance(SignedDuration::from_secs(301));
    let stale = web::post(&url, &headers, good.clone()).await;
    assert_problem(&stale, 401, "SIGNATURE_REFUSED");
    assert!(
        stale.json()["detail"].as_str().unwrap().contains("5 minutes"),
        "{}",
        stale.text
    );

    // Another tenant's source, an unknown one and an unknown tenant all answer alike.
    let headers = scene.headers(SECRET, "msg_1", &good);
    let mut answers = Vec::new();
    for url in [
        scene.url("baidu", "huabei"),
        scene.url("toutiao", "huadong"),
        scene.url("BAIDU", "nobody"),
        scene.url("baidu", "../x"),
        format!("{}/v1/webhooks/baidu", scene.suite.gateway_url()),
    ] {
        let answer = web::post(&url, &headers, good.clone()).await;
        assert_problem(&answer, 404, "NOT_FOUND");
        answers.push(answer.text);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1);

    let missing = scene.post(SECRET, "msg_2", r#"{"data": {"tel": "1"}}"#).await;
    assert_problem(&missing, 400, "INVALID_FIELD");
    assert_eq!(missing.json()["violations"][0]["field"], "/data/corp");
    let wrong = scene
        .post(
            SECRET,
            "msg_3",
            r#"{"data": {"corp": "x", "tel": {}, "budget_yuan": "viel"}}"#,
        )
        .await;
    let fields: Vec<Value> = wrong.json()["violations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["field"].clone())
        .collect();
    assert_eq!(fields, ["/data/budget_yuan", "/data/tel"]);
    assert_problem(&scene.post(SECRET, "msg_4", "{").await, 400, "INVALID_FIELD");
    let deep = "[".repeat(10_000);
    assert_problem(&scene.post(SECRET, "msg_5", &deep).await, 400, "INVALID_FIELD");
    let huge = web::post(&url, &[], " ".repeat(64 * 1024 + 1)).await;
    assert_eq!(huge.status, 413);
    let list = scene.ask("LeadService/ListLeads", json!({})).await;
    assert_eq!(
        list["leads"].as_array().map(Vec::len).unwrap_or_default(),
        0,
        "nothing was stored"
    );
    scene.suite.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_has_its_limit_and_can_be_switched_off_and_kept_in_a_bundle() {
    let scene = Scene::start().await;
    scene.apply(BUNDLE).await;
    for number in 0..12 {
        assert_eq!(scene.post(SECRET, "msg_1", &body(number)).await.status, 202);
    }
    let much = scene.post(SECRET, "msg_1", &body(99)).await;
    assert_problem(&much, 429, "OVERLOADED");
    assert!(much.headers.contains_key("retry-after"));
    scene.clock.advance(SignedDuration::from_secs(60));
    assert_eq!(scene.post(SECRET, "msg_1", &body(99)).await.status, 202);

    let exported = export(&scene.connection(), &scene.tenant)
        .await
        .unwrap()
        .to_yaml()
        .unwrap();
    assert!(!exported.contains("whsec_"), "no secret is shown");
    let owner = scene.suite.places.leads.owner_url.expose_secret();
    let mut database = PgConnection::connect(owner).await.unwrap();
    let kept: Vec<u8> = sqlx::query_scalar("select secret from webhook_sources")
        .fetch_one(&mut database)
        .await
        .unwrap();
    assert!(!String::from_utf8_lossy(&kept).contains("whsec_"), "nor kept as it is");
    assert!(
        exported.contains("\n    company:\n"),
        "the mapping is written out:\n{exported}"
    );
    assert_eq!(scene.apply(&exported).await, 0, "nothing to change");
    // Without a secret the source keeps the one it has.
    let renamed = exported.replace("source: 百度推广", "source: 百度");
    assert_eq!(scene.apply(&renamed).await, 1);
    assert_eq!(scene.post(SECRET, "msg_20", &body(200)).await.status, 202);
    let disabled = BUNDLE.replace("enabled: true", "enabled: false");
    scene.apply(&disabled).await;
    assert_problem(&scene.post(SECRET, "msg_21", &body(201)).await, 404, "NOT_FOUND");
    scene.suite.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_tries_a_mapping_and_sends_a_body() {
    let scene = Scene::start().await;
    scene.apply(BUNDLE).await;
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let mapping = BUNDLE.split_once("mapping:\n").unwrap().1.replace("\n  ", "\n");
    let mapping = write("baidu.yaml", mapping.trim_start());
    let (good, bad) = (write("good.json", &body(7)), write("bad.json", "{}"));
    let wrong = write("wrong.yaml", "version: 1\nfields: {compnay: /a}");
    let type_in = async |arguments: &[&str]| {
        let arguments = ["reflexctl", "webhooks"].iter().chain(arguments);
        reflexctl::run(arguments).await.map_err(|error| format!("{error:#}"))
    };
    type_in(&["check", "--mapping", &mapping, "--body", &good])
        .await
        .unwrap();
    type_in(&["check", "--mapping", &mapping, "--body", &good, "-o", "json"])
        .await
        .unwrap();
    let refused = type_in(&["check", "--mapping", &mapping, "--body", &bad])
        .await
        .unwrap_err();
    assert!(refused.contains("/data/corp must be given"), "{refused}");
    let refused = type_in(&["check", "--mapping", &wrong, "--body", &good])
        .await
        .unwrap_err();
    assert!(refused.contains("did you mean company?"), "{refused}");
    let refused = type_in(&[
        "send",
        "--url",
        &scene.url("baidu", "huadong"),
        "--secret",
        SECRET,
        "--body",
        &good,
    ])
    .await
    .unwrap_err();
    // The suite's clock stands in the past; the command line has the machine's.
    assert!(refused.contains("401") && refused.contains("5 minutes"), "{refused}");
    scene.suite.stop().await;
}
