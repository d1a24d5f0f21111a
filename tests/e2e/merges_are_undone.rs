//! A customer who wrote twice is one lead by hand, and two again when that was a mistake: typed at the command line, read
//! through the gateway.

use axum::body::Body;
use http::{Request, header};
use http_body_util::BodyExt as _;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use reflex_rpc::identity::Role;
use reflex_tenancy::TenantId;
use reflex_testing::eventually;
use reflex_tests::suite::Suite;
use serde_json::{Value, json};

struct Scene {
    suite: Suite,
    tenant: TenantId,
}

impl Scene {
    async fn start() -> Self {
        let suite = Suite::start().await;
        let tenant: TenantId = "huadong".parse().unwrap();
        suite.set_up(&tenant, &["members/an", "members/bo"], 100).await;
        Self { suite, tenant }
    }

    /// Calls an RPC in its JSON form.
    async fn ask(&self, method: &str, body: Value) -> Value {
        let token = self.suite.token(&[&self.tenant], Role::Manager, None);
        let request = Request::post(format!("{}/v1/rpc/reflex.leads.v1.{method}", self.suite.gateway_url()))
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()))
            .unwrap();
        let client = Client::builder(TokioExecutor::new()).build_http();
        let answer = client.request(request).await.unwrap();
        let status = answer.status();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        let answer: Value = serde_json::from_slice(&bytes).unwrap();
        assert!(status.is_success(), "{method}: {status} {answer}");
        answer
    }

    /// Captures a lead and waits until somebody has it.
    async fn capture(&self, id: &str, phone: &str, remark: &str) -> String {
        let lead = json!({"source": "官网", "externalId": id, "company": "苏州锻压", "phone": phone, "remark": remark});
        let captured = self.ask("LeadService/CaptureLead", json!({"lead": lead})).await;
        let name = captured["name"].as_str().unwrap().to_owned();
        eventually("somebody has the lead", async || {
            let lead = self.lead(&name).await;
            lead["owner"].is_string().then_some(())
        })
        .await;
        name
    }

    async fn lead(&self, name: &str) -> Value {
        self.ask("LeadService/GetLead", json!({"name": name})).await["lead"].take()
    }

    /// Types a command.
    async fn reflexctl(&self, words: &[&str]) -> Result<(), String> {
        let token = self.suite.token(&[&self.tenant], Role::Manager, None);
        let url = self.suite.leads_url();
        let connection = ["--server", &url, "--token", &token];
        let arguments = ["reflexctl"].iter().chain(words).chain(&connection);
        reflexctl::run(arguments).await.map_err(|error| format!("{error:#}"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_leads_are_one_and_two_again() {
    let scene = Scene::start().await;
    let first = scene.capture("E-1", "13800138000", "").await;
    let second = scene.capture("E-2", "", "请周五前回电").await;
    let before = (scene.lead(&first).await, scene.lead(&second).await);

    let merge = ["leads", "merge", &first, &second, "--reason", "同一家客户留言两次"];
    scene.reflexctl(&merge).await.unwrap();
    // What both said is in the one, and whoever asks for the other finds it there.
    let one = scene.lead(&second).await;
    assert_eq!(
        (one["name"].as_str(), one["phone"].as_str(), one["remark"].as_str()),
        (Some(first.as_str()), Some("13800138000"), Some("请周五前回电"))
    );
    let listed = scene.ask("LeadService/ListLeads", json!({})).await;
    assert_eq!(listed["leads"].as_array().unwrap().len(), 1);
    let refused = scene.reflexctl(&merge).await.unwrap_err();
    assert!(refused.contains("was merged into"), "{refused}");

    let merges = scene.ask("MergeService/ListMerges", json!({"lead": second})).await;
    let name = merges["merges"][0]["name"].as_str().unwrap().to_owned();
    assert_eq!(merges["merges"][0]["reason"], "同一家客户留言两次");
    scene
        .reflexctl(&["leads", "unmerge", &name, "--preview"])
        .await
        .unwrap();
    scene
        .reflexctl(&["leads", "unmerge", &name, "--reason", "两个人"])
        .await
        .unwrap();
    assert_eq!((scene.lead(&first).await, scene.lead(&second).await), before);
    let undone = scene.ask("MergeService/GetMerge", json!({"name": name})).await;
    assert_eq!(undone["merge"]["unmergeReason"], "两个人");
    scene.suite.stop().await;
}
