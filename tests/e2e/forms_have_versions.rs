//! A form of a website from its bundle to the lead: what the page loads, what it sends, and which version that was.

use std::sync::Arc;

use jiff::SignedDuration;
use reflex_rpc::identity::Role;
use reflex_runtime::{clock::FixedClock, ids::SystemIds};
use reflex_tenancy::TenantId;
use reflex_testing::fixture_time;
use reflex_tests::{suite::Suite, web};
use reflexctl::{
    apply::{PlanOptions, plan},
    bundle::{Bundle, Variables},
    connection::{Address, Connection},
};
use serde_json::{Value, json};

use crate::any_rpc::Wires;

const KEY: &str = "wk_huadong_0123456789abcdef";
const BUNDLE: &str = r#"
tenant: huadong
---
kind: Form
name: forms/website
title: 官网"><script>alert(1)</script>
source: 官网
write_key: wk_huadong_0123456789abcdef
allowed_origins: ["https://www.example.cn"]
enabled: true
schema:
  fields:
  - {id: company, kind: KIND_SHORT_TEXT, label: {zh: 公司, en: Company}, required: true, fills: LEAD_FIELD_COMPANY}
  - {id: phone, kind: KIND_PHONE, label: {zh: 电话, en: Phone}, fills: LEAD_FIELD_PHONE}
  - id: device_types
    kind: KIND_MULTI_SELECT
    label: {zh: 设备类型, en: Devices}
    options: [{value: PLC}, {value: 传感器}, {value: 伺服电机}]
  - {id: budget, kind: KIND_NUMBER_RANGE, label: {zh: 预算（元）, en: Budget}, maximum: 5000000, fills: LEAD_FIELD_BUDGET}
  - {id: urgency, kind: KIND_URGENCY, label: {zh: 紧急程度, en: How soon}}
"#;

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
        Self {
            wires: Wires::to(&suite),
            suite,
            clock,
            tenant: "huadong".parse().unwrap(),
        }
    }

    /// Applies a bundle and returns how many resources changed.
    async fn apply(&self, text: &str) -> usize {
        let address = Address {
            server: Some(self.suite.leads_url()),
            notifications: Some(self.suite.notifications_url()),
            token: Some(self.suite.token(&[&self.tenant], Role::Admin, None)),
            tenant: Some(self.tenant.clone()),
        };
        let connection = Connection::new(&address).unwrap();
        let bundle = Bundle::parse("huadong.yaml", text, None, &Variables::new()).unwrap();
        let plan = plan(&connection, &bundle, PlanOptions::default()).await.unwrap();
        let report = plan.run(&connection, &SystemIds, |_| {}).await.unwrap();
        // The gateway hears of a change within half a minute.
        self.clock.advance(SignedDuration::from_secs(30));
        report.created + report.updated
    }

    async fn get(&self, below: &str) -> web::Answer {
        web::get(&format!("{}/v1/forms{below}", self.suite.gateway_url())).await
    }

    async fn post(&self, language: &str, body: Value) -> web::Answer {
        let headers = [
            ("content-type", "application/json".to_owned()),
            ("x-write-key", KEY.to_owned()),
            ("origin", "https://www.example.cn".to_owned()),
            ("accept-language", language.to_owned()),
        ];
        let url = format!("{}/v1/forms/website", self.suite.gateway_url());
        web::post(&url, &headers, body.to_string()).await
    }

    async fn lead(&self, answer: &web::Answer) -> Value {
        assert_eq!(answer.status, 202, "{}", answer.text);
        let request = json!({"name": answer.json()["name"]});
        let method = "reflex.leads.v1.LeadService/GetLead";
        let answer = self.wires.ask(&self.suite, &self.tenant, method, request).await;
        answer["lead"].clone()
    }
}

fn violations(answer: &web::Answer) -> Vec<(String, String)> {
    assert_eq!(answer.status, 400, "{}", answer.text);
    let problem = answer.json();
    let violations = problem["violations"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    violations
        .map(|one| (text(&one["field"]), text(&one["description"])))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_an_older_version_is_taken_as_it_was_made() {
    let scene = Scene::start().await;
    assert_eq!(scene.apply(BUNDLE).await, 1);
    assert_eq!(scene.apply(BUNDLE).await, 0, "the second time nothing differs");
    let snippet = scene.get(&format!("/website/snippet?k={KEY}")).await;
    assert_eq!(snippet.status, 200, "{}", snippet.text);
    let title = "aria-label=\"官网&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;\"";
    assert!(snippet.text.contains(title), "{}", snippet.text);
    assert!(snippet.text.contains("/v1/forms.js\""), "{}", snippet.text);
    assert_eq!(scene.get(".js").await.status, 200);
    let rendered = scene.get(&format!("/website/schema?k={KEY}")).await;
    let page = rendered.json();
    assert_eq!(
        (&page["version"], &page["fields"][2]["options"][1]["value"]),
        (&json!(1), &json!("传感器"))
    );

    // The second version wants a mail address, which pages of the first do not ask for.
    let mail =
        "\n  - {id: email, kind: KIND_EMAIL, label: {zh: 邮箱, en: E-mail}, required: true, fills: LEAD_FIELD_EMAIL}\n";
    let second = BUNDLE.trim_end().to_owned() + mail;
    assert_eq!(scene.apply(&second).await, 1);
    let newest = scene.get(&format!("/website/schema?k={KEY}")).await;
    assert_eq!(newest.json()["version"], 2);
    assert_ne!(newest.headers["etag"], rendered.headers["etag"]);

    let request_id = "0197a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b";
    let filled_in = json!({"form_version": 1, "request_id": request_id, "company": "华东机床", "phone": "13800138000",
        "device_types": ["伺服电机", "PLC"], "budget_min": "100000", "budget_max": "", "urgency": "red"});
    let answer = scene.post("zh-CN", filled_in.clone()).await;
    let lead = scene.lead(&answer).await;
    assert_eq!(
        (&lead["form"], &lead["formVersion"]),
        (&json!("forms/website"), &json!(1))
    );
    assert_eq!(lead["attributes"], json!({"device_types": "PLC, 伺服电机"}));
    assert_eq!(
        (&lead["budgetMinFen"], &lead["urgency"]),
        (&json!("10000000"), &json!("URGENCY_RED"))
    );
    let again = scene.post("zh-CN", filled_in).await;
    assert_eq!(
        (again.status, &again.json()["existed"]),
        (202, &json!(true)),
        "a second click"
    );
    assert_eq!(again.json()["number"], answer.json()["number"]);

    let by_hand = json!({"公司": "华东机床", "邮箱": "wang@example.cn"});
    let lead = scene.lead(&scene.post("zh-CN", by_hand).await).await;
    assert_eq!(
        (&lead["email"], &lead["formVersion"]),
        (&json!("wang@example.cn"), &json!(2))
    );
    scene.suite.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_wrong_answer_is_told_at_its_field() {
    let scene = Scene::start().await;
    scene.apply(BUNDLE).await;
    let wrong = json!({"form_version": 1, "phone": "<script>", "device_types": ["PLC", "锅炉"], "budget_min": 3,
        "budget_max": 2, "urgency": "blau"});
    let told = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        let owned = |&(field, text): &(&str, &str)| (field.to_owned(), text.to_owned());
        pairs.iter().map(owned).collect()
    };
    let in_chinese = [
        ("company", "必填"),
        ("phone", "不是电话号码，例如 13800138000 或 021-62345678转801"),
        ("device_types", "只能选择：PLC、传感器、伺服电机"),
        ("budget_max", "不能小于最低值"),
        ("urgency", "只能选择：红、黄、绿"),
    ];
    assert_eq!(violations(&scene.post("zh-CN", wrong.clone()).await), told(&in_chinese));
    let in_english = [
        ("company", "must be given"),
        (
            "phone",
            "must be a phone number, such as 13800138000 or +86 21 62345678",
        ),
        ("device_types", "must be one of: PLC, 传感器, 伺服电机"),
        ("budget_max", "must not be below the least"),
        ("urgency", "must be one of: red, yellow, green"),
    ];
    assert_eq!(violations(&scene.post("en", wrong).await), told(&in_english));
    let unknown = scene.post("en", json!({"form_version": 7, "company": "x"})).await;
    assert_eq!(violations(&unknown)[0].0, "form_version");
    let leads = scene
        .wires
        .ask(
            &scene.suite,
            &scene.tenant,
            "reflex.leads.v1.LeadService/ListLeads",
            json!({}),
        )
        .await;
    assert_eq!(leads["leads"], Value::Null, "nothing of it is stored");
    scene.suite.stop().await;
}
