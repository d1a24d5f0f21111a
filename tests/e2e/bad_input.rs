//! What nobody should send: each gets a precise answer, the same over gRPC and over HTTP, and nothing of it is stored.

use std::sync::Arc;

use jiff::SignedDuration;
use prost::bytes::Bytes;
use reflex_proto::platform::v1::Reason;
use reflex_rpc::{identity::Role, status::reason_of};
use reflex_runtime::{
    clock::FixedClock,
    ids::{IdSource as _, SystemIds},
};
use reflex_tenancy::TenantId;
use reflex_testing::{eventually, fixture_time};
use reflex_tests::{suite::Suite, web};
use serde_json::{Map, Value, json};
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::any_rpc::{self, Wires, as_admin, bearer};

const CAPTURE: &str = "leads.v1.LeadService/CaptureLead";

struct Scene {
    suite: Suite,
    wires: Wires,
    clock: Arc<FixedClock>,
    tenant: TenantId,
}

/// What a bad request must come to: code, reason, and the field at fault.
type Verdict = (Code, Reason, &'static str);

const fn invalid(field: &'static str) -> Verdict {
    (Code::InvalidArgument, Reason::InvalidField, field)
}

impl Scene {
    async fn start() -> Self {
        let clock = Arc::new(FixedClock::new(fixture_time()));
        let suite = Suite::start_with(&clock).await;
        let tenant: TenantId = "huadong".parse().unwrap();
        suite.set_up(&tenant, &["members/wang"], 10).await;
        Self {
            wires: Wires::to(&suite),
            suite,
            clock,
            tenant,
        }
    }

    async fn ask(&self, method: &str, request: Value) -> Value {
        self.wires
            .ask(&self.suite, &self.tenant, &format!("reflex.{method}"), request)
            .await
    }

    /// Sends a bad request both ways.
    async fn refuses(&self, method: &str, request: Value, (code, reason, field): Verdict) {
        let shown: String = request.to_string().chars().take(200).collect();
        let path = format!("reflex.{method}");
        let status = self
            .wires
            .try_ask(&self.suite, &self.tenant, &path, &request)
            .await
            .expect_err(&shown);
        assert_eq!(
            (status.code(), reason_of(&status)),
            (code, Some(reason)),
            "{method} {shown}: {status:?}"
        );
        let violations = status
            .get_details_bad_request()
            .map(|bad| bad.field_violations)
            .unwrap_or_default();
        assert_eq!(
            violations.first().map_or("", |violation| violation.field.as_str()),
            field,
            "{method} {shown}"
        );
        assert!(
            status.message().chars().count() < 500,
            "what is wrong is not sent back whole"
        );
        self.refuses_json(method, request.to_string(), (code, reason, field))
            .await;
    }

    /// Sends a bad body to the gateway.
    async fn refuses_json(&self, method: &str, body: impl Into<Bytes>, (code, reason, field): Verdict) {
        let status = match code {
            Code::AlreadyExists => 409,
            _ => 400,
        };
        let answer = self.post(method, &as_admin(&self.suite, &self.tenant), body).await;
        assert_eq!(answer.status, status, "{method}: {}", answer.text);
        let problem = answer.json();
        let name = reason.as_str_name().trim_start_matches("REASON_");
        assert_eq!(problem["reason"], name, "{method}: {}", answer.text);
        let violated = problem
            .pointer("/violations/0/field")
            .and_then(Value::as_str)
            .unwrap_or_default();
        // On the web a field has the name that JSON gives it.
        assert_eq!(
            violated.replace('_', "").to_lowercase(),
            field.replace('_', ""),
            "{method}: {}",
            answer.text
        );
    }

    async fn post(&self, method: &str, headers: &[(&'static str, String)], body: impl Into<Bytes>) -> web::Answer {
        let url = format!("{}/v1/rpc/reflex.{method}", self.suite.gateway_url());
        let headers: Vec<_> = headers
            .iter()
            .cloned()
            .chain([("content-type", "application/json".into())])
            .collect();
        web::post(&url, &headers, body).await
    }

    /// Stops, having stored these leads and no others.
    async fn stop_with_leads(self, companies: &[&str]) {
        let listed = self.ask("leads.v1.LeadService/ListLeads", json!({})).await;
        let leads = listed["leads"].as_array().cloned().unwrap_or_default();
        let stored: Vec<_> = leads
            .iter()
            .rev()
            .map(|lead| lead["company"].as_str().unwrap_or_default())
            .collect();
        assert_eq!(stored, companies);
        self.suite.stop().await;
    }
}

fn lead_with(field: &str, value: impl Into<Value>) -> Value {
    let mut lead = json!({"source": "web", "externalId": "e", "company": "x"});
    lead[field] = value.into();
    json!({"lead": lead})
}

fn fields(count: usize) -> Map<String, Value> {
    (0..count)
        .map(|number| (format!("field {number}"), json!("x")))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn leads_that_cannot_be_leads_are_refused_by_field() {
    let scene = Scene::start().await;
    // A lead of the source "web" whose company is no UTF-8.
    let broken = b"\x0a\x09\x0a\x03web\x1a\x02\xff\xfe".as_slice();
    let headers = as_admin(&scene.suite, &scene.tenant);
    for path in [CAPTURE, "leads.v1.LeadService/StreamCaptureLeads"] {
        let method = any_rpc::named(&format!("reflex.{path}"));
        for (bytes, field) in [
            (broken, "lead.company"),
            (b"\x0a\x7f".as_slice(), "lead"),
            (b"\xff".as_slice(), ""),
        ] {
            let message = Bytes::from_static(bytes);
            let status = scene.wires.call(&method, &headers, message).await.unwrap_err();
            let what = (status.code(), reason_of(&status));
            assert_eq!(
                what,
                (Code::InvalidArgument, Some(Reason::InvalidField)),
                "{path}: {status:?}"
            );
            let violations = status.get_details_bad_request().unwrap().field_violations;
            assert_eq!(violations[0].field, field, "{path}");
        }
    }
    let json = b"{\"lead\": {\"source\": \"web\", \"company\": \"\xff\xfe\"}}".as_slice();
    scene.refuses_json(CAPTURE, json, invalid("lead.company")).await;
    let purple = r#"{"lead": {"source": "web", "company": "x", "urgency": "URGENCY_PURPLE"}}"#;
    scene.refuses_json(CAPTURE, purple, invalid("lead.urgency")).await;

    let megabyte = "长".repeat(350_000);
    for (request, field) in [
        (lead_with("company", megabyte.as_str()), "lead.company"),
        (lead_with("source", megabyte.as_str()), "lead.source"),
        (lead_with("source", ""), "lead.source"),
        (lead_with("company", "江\u{0}苏"), "lead.company"),
        (lead_with("attributes", fields(100)), "lead.attributes"),
        (lead_with("urgency", 99), "lead.urgency"),
        (lead_with("budgetMinFen", "-1"), "lead.budget_min_fen"),
        (lead_with("form", "kontakt"), "lead.form"),
        (json!({"lead": {"source": "web", "externalId": "e"}}), "lead"),
        (json!({}), "lead"),
        (
            json!({"lead": {"source": "web", "company": "x"}, "requestId": "seven"}),
            "request_id",
        ),
    ] {
        scene.refuses(CAPTURE, request, invalid(field)).await;
    }
    scene.stop_with_leads(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_that_cannot_be_forms_are_refused_by_field() {
    let scene = Scene::start().await;
    let form = json!({"name": "forms/contact", "title": "x", "source": "web", "enabled": true});
    let stored = scene.ask("leads.v1.FormService/PutForm", json!({"form": form})).await;
    let key = stored.pointer("/form/writeKey").unwrap().as_str().unwrap().to_owned();
    let url = format!("{}/v1/forms/contact", scene.suite.gateway_url());
    let post = async |kind: &str, body: Vec<u8>| {
        web::post(
            &url,
            &[("x-write-key", key.clone()), ("content-type", kind.into())],
            body,
        )
        .await
    };
    let with_fields = |count| {
        let mut all = fields(count);
        all.insert("company".into(), json!("江苏恒瑞"));
        Value::from(all).to_string().into_bytes()
    };
    let json = "application/json";
    for (kind, body, status) in [
        ("application/x-www-form-urlencoded", b"company=%ff%fe".to_vec(), 400),
        (json, b"{\"company\": \"\xff\xfe\"}".to_vec(), 400),
        (json, with_fields(100), 400),
        (json, with_fields(99), 400),
        (
            json,
            json!({"company": "x".repeat(1 << 20)}).to_string().into_bytes(),
            413,
        ),
        (json, json!({"company": "长".repeat(301)}).to_string().into_bytes(), 400),
        (json, b"[]".to_vec(), 400),
        ("text/csv", b"company".to_vec(), 415),
        (json, with_fields(50), 202),
    ] {
        let shown: String = String::from_utf8_lossy(&body).chars().take(60).collect();
        let answer = post(kind, body).await;
        assert_eq!(answer.status, status, "{shown}: {}", answer.text);
        assert!(
            status != 400 || answer.json()["reason"] == "INVALID_FIELD",
            "{shown}: {}",
            answer.text
        );
    }
    scene.stop_with_leads(&["江苏恒瑞"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_passes_refusals_of_callers_on() {
    let scene = Scene::start().await;
    let other: TenantId = "huabei".parse().unwrap();
    let both = scene.suite.token(&[&scene.tenant, &other], Role::Admin, None);
    let one = scene.suite.token(&[&other], Role::Admin, None);
    let viewer = scene.suite.token(&[&scene.tenant], Role::Viewer, None);
    let here = ("x-reflex-tenant", scene.tenant.to_string());
    let none = "eyJhbGciOiJub25lIn0.e30.".to_owned();
    let ask = async |headers: Vec<(&'static str, String)>, status: u16, reason: &str| {
        let answer = scene
            .post(CAPTURE, &headers, lead_with("company", "x").to_string())
            .await;
        assert_eq!(
            (answer.status, answer.json()["reason"].as_str()),
            (status, Some(reason)),
            "{headers:?}"
        );
    };
    ask(vec![bearer(&both)], 403, "TENANT_DENIED").await;
    ask(vec![bearer(&one), here.clone()], 403, "TENANT_DENIED").await;
    ask(vec![bearer(&viewer), here.clone()], 403, "PERMISSION_DENIED").await;
    ask(vec![here.clone()], 401, "UNAUTHENTICATED").await;
    ask(vec![bearer(&none), here.clone()], 401, "UNAUTHENTICATED").await;
    scene.clock.advance(SignedDuration::from_hours(25));
    ask(vec![bearer(&both), here], 401, "UNAUTHENTICATED").await;
    scene.stop_with_leads(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_contradict_what_is_there_are_refused() {
    let scene = Scene::start().await;
    let request_id = SystemIds.next().to_string();
    let lead = |company: &str| json!({"lead": {"source": "web", "company": company}, "requestId": request_id});
    let first = scene.ask(CAPTURE, lead("江苏恒瑞")).await;
    let again = scene.ask(CAPTURE, lead("江苏恒瑞")).await;
    assert_eq!(
        (&again["name"], &again["existed"]),
        (&first["name"], &json!(true)),
        "a repeat is harmless"
    );
    let reused = (Code::AlreadyExists, Reason::RequestIdReused, "");
    scene.refuses(CAPTURE, lead("上海联影"), reused).await;

    let team = |name: &str, parent: &str| json!({"name": name, "displayName": "x", "parent": parent});
    let put = "leads.v1.DirectoryService/PutTeam";
    scene
        .ask(
            put,
            json!({"team": team("teams/a", ""), "requestId": SystemIds.next().to_string()}),
        )
        .await;
    let request_id = SystemIds.next().to_string();
    scene
        .ask(
            put,
            json!({"team": team("teams/b", "teams/a"), "requestId": request_id}),
        )
        .await;
    scene
        .refuses(
            put,
            json!({"team": team("teams/c", ""), "requestId": request_id}),
            reused,
        )
        .await;
    let cycle = (Code::FailedPrecondition, Reason::WrongState, "");
    scene
        .refuses(put, json!({"team": team("teams/a", "teams/b")}), cycle)
        .await;
    scene
        .refuses(put, json!({"team": team("teams/a", "teams/a")}), cycle)
        .await;

    for closed in ["windows: []", "windows: [], per_day: {Sat: []}"] {
        let spec = format!("{{time_zone: Asia/Shanghai, days: [Mon-Fri], {closed}}}");
        let request = json!({"calendar": {"name": "calendars/never", "spec": spec}});
        scene
            .refuses(
                "leads.v1.CalendarService/PutCalendar",
                request,
                invalid("calendar.spec"),
            )
            .await;
    }

    for company in ["二", "三"] {
        let lead = json!({"source": "web", "externalId": company, "company": company});
        scene.ask(CAPTURE, json!({"lead": lead})).await;
    }
    let list = "leads.v1.LeadService/ListLeads";
    let page = eventually("all leads are listed", async || {
        let page = scene.ask(list, json!({"pageSize": 1, "owner": "members/wang"})).await;
        page["nextPageToken"].as_str().map(str::to_owned)
    })
    .await;
    let mismatch = (Code::InvalidArgument, Reason::PageTokenMismatch, "");
    for (token, owner) in [
        (page.as_str(), ""),
        (page.as_str(), "members/li"),
        ("bm9uc2Vuc2U", "members/wang"),
    ] {
        scene
            .refuses(
                list,
                json!({"pageSize": 1, "owner": owner, "pageToken": token}),
                mismatch,
            )
            .await;
    }
    scene
        .refuses(
            "leads.v1.DirectoryService/ListMembers",
            json!({"pageToken": page}),
            mismatch,
        )
        .await;
    scene.refuses(list, json!({"pageSize": -1}), invalid("page_size")).await;
    scene.stop_with_leads(&["江苏恒瑞", "二", "三"]).await;
}
