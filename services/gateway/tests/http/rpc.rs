//! RPCs with JSON.

use std::{sync::Arc, time::Duration};

use http::{Method, StatusCode};
use parking_lot::Mutex;
use reflex_gateway::Limits;
use reflex_proto::{
    leads::v1::{
        CaptureLeadRequest, GetLeadRequest, GetLeadResponse, Lead, ListLeadsRequest, ListLeadsResponse, lead::Urgency,
    },
    platform::v1::{ListDeadLettersRequest, ListDeadLettersResponse},
};
use reflex_rpc::status::{self, FieldViolation};
use serde_json::json;
use tonic::{Code, Status};

use crate::gateway::{CAPTURE, Gateway, captured};

const GET_LEAD: &str = "/reflex.leads.v1.LeadService/GetLead";
const LIST_LEADS: &str = "/reflex.leads.v1.LeadService/ListLeads";
const DEAD_LETTERS: &str = "/reflex.platform.v1.DeadLetterService/ListDeadLetters";

fn route(path: &str) -> String {
    format!("/v1/rpc{path}")
}

#[tokio::test]
async fn a_call_goes_through_with_everything_that_belongs_to_it() {
    let gateway = Gateway::start().await;
    gateway.leads.on(GET_LEAD, |_, metadata, request: GetLeadRequest| {
        for (name, value) in [
            ("authorization", "Bearer a.b.c"),
            ("x-reflex-tenant", "huadong"),
            ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
            ("x-reflex-hop", "1"),
        ] {
            assert_eq!(metadata.get(name).unwrap(), value);
        }
        assert!(metadata.get("cookie").is_none(), "nothing else goes along");
        let timeout = metadata.get("grpc-timeout").unwrap().to_str().unwrap();
        let left: u64 = timeout.trim_end_matches('u').parse().unwrap();
        assert!((1..=7_000_000).contains(&left), "{timeout} is what is left of 7 s");
        let lead = Lead {
            name: request.name,
            company: "恒瑞".to_owned(),
            urgency: Urgency::Red.into(),
            budget_min_fen: 9_007_199_254_740_993,
            ..Lead::default()
        };
        Ok(GetLeadResponse {
            lead: Some(lead),
            ..GetLeadResponse::default()
        })
    });
    let headers = [
        ("content-type", "application/json"),
        ("authorization", "Bearer a.b.c"),
        ("x-reflex-tenant", "huadong"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("x-timeout-ms", "7000"),
        ("cookie", "a=b"),
    ];
    let answer = gateway
        .client
        .post(&route(GET_LEAD), &headers, r#"{"name": "leads/1"}"#)
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(
        answer.header("traceparent"),
        Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    );
    assert_eq!(
        answer.json(),
        json!({"lead": {
            "name": "leads/1", "company": "恒瑞", "urgency": "URGENCY_RED", "budgetMinFen": "9007199254740993",
        }})
    );
    gateway.stop().await;
}

#[tokio::test]
async fn what_cannot_be_called_is_refused_with_a_problem() {
    let gateway = Gateway::start().await;
    let client = &gateway.client;
    for path in [
        "/v1/rpc/reflex.leads.v1.LeadService/Nothing",
        "/v1/rpc/reflex.leads.v1.Nothing/GetLead",
        "/v1/rpc/reflex.journey.v1.RuleService/GetRule",
        "/v1/rpc/grpc.health.v1.Health/Check",
        "/v1/rpc/%ff/%ff",
        "/v1/rpc/reflex.leads.v1.LeadService",
        "/nothing",
        "/",
    ] {
        assert_eq!(
            client.post(path, &[], "{}").await.problem(StatusCode::NOT_FOUND)["reason"],
            "NOT_FOUND"
        );
    }
    let answer = client.send(Method::PUT, &route(GET_LEAD), &[], "{}").await;
    answer.problem(StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.header("allow"), Some("POST"));

    for media in [
        "text/html",
        "application/x-www-form-urlencoded",
        "application/grpc",
        "text/plain",
    ] {
        let answer = client.post(&route(GET_LEAD), &[("content-type", media)], "{}").await;
        answer.problem(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    for (body, field) in [
        (r#"{"nam": "x"}"#, "nam"),
        (r#"{"name": 1}"#, "name"),
        ("[]", ""),
        ("{", ""),
    ] {
        assert_eq!(
            client.post(&route(GET_LEAD), &[], body).await.violated(),
            [field],
            "{body}"
        );
    }
    for (header, value) in [("x-timeout-ms", "soon"), ("grpc-timeout", "1x")] {
        assert_eq!(
            client.post(&route(GET_LEAD), &[(header, value)], "{}").await.violated(),
            [header]
        );
    }
    gateway.stop().await;
}

#[tokio::test]
async fn failures_of_a_service_become_problems() {
    let gateway = Gateway::start().await;
    gateway.leads.on(
        GET_LEAD,
        |_, _, request: GetLeadRequest| -> Result<GetLeadResponse, Status> {
            Err(match request.name.as_str() {
                "invalid" => status::invalid(vec![
                    FieldViolation::new("name", "must be set"),
                    FieldViolation::new("x", "must not"),
                ]),
                "absent" => status::not_found("leads/1"),
                "stale" => status::stale("was claimed"),
                "overloaded" => status::overloaded(Duration::from_millis(1_500)),
                "away" => status::unavailable(Duration::from_secs(2)),
                "anonymous" => status::unauthenticated("the token has expired"),
                "denied" => status::denied("leads.read"),
                "foreign" => status::tenant_denied("not yours"),
                "late" => status::deadline_exceeded(),
                name => Status::new(Code::from(name.parse::<i32>().unwrap()), "plain"),
            })
        },
    );
    let call = async |name: &str| {
        let body = json!({"name": name}).to_string();
        gateway.client.post(&route(GET_LEAD), &[], body).await
    };
    for (name, status, reason) in [
        ("invalid", 400, "INVALID_FIELD"),
        ("absent", 404, "NOT_FOUND"),
        ("stale", 409, "STALE"),
        ("overloaded", 429, "OVERLOADED"),
        ("away", 503, "DEPENDENCY_UNAVAILABLE"),
        ("anonymous", 401, "UNAUTHENTICATED"),
        ("denied", 403, "PERMISSION_DENIED"),
        ("foreign", 403, "TENANT_DENIED"),
        ("late", 504, "DEADLINE_EXCEEDED"),
    ] {
        let problem = call(name).await.problem(StatusCode::from_u16(status).unwrap());
        assert_eq!(problem["reason"], reason);
        assert_eq!(problem["type"], format!("urn:reflex:problem:{reason}"));
    }
    assert_eq!(call("invalid").await.violated(), ["name", "x"]);
    let answer = call("overloaded").await;
    assert_eq!(
        (answer.header("retry-after"), &answer.json()["retry_after_ms"]),
        (Some("2"), &json!(1_500))
    );
    // Codes without details have a status too: 1 to 16 in their order.
    let expected = [
        499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401,
    ];
    for (code, status) in (1..).zip(expected) {
        assert_eq!(call(&code.to_string()).await.status, status, "code {code}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn what_every_service_serves_needs_a_name() {
    let gateway = Gateway::start().await;
    let answer = |token: &'static str| {
        move |_, _, _: ListDeadLettersRequest| {
            Ok(ListDeadLettersResponse {
                next_page_token: token.to_owned(),
                ..ListDeadLettersResponse::default()
            })
        }
    };
    gateway.leads.on(DEAD_LETTERS, answer("of leads"));
    gateway.notifications.on(DEAD_LETTERS, answer("of notifications"));
    let path = route(DEAD_LETTERS);
    for service in ["leads", "notifications"] {
        let answer = gateway.client.post(&format!("{path}?service={service}"), &[], "").await;
        assert_eq!(answer.json()["nextPageToken"], format!("of {service}"));
    }
    for query in ["", "?service=", "?service=journey"] {
        let answer = gateway.client.post(&format!("{path}{query}"), &[], "{}").await;
        assert_eq!(answer.violated(), ["service"]);
        assert!(answer.text.contains("leads, notifications"));
    }
    gateway.stop().await;
}

#[tokio::test]
async fn only_reads_and_writes_with_a_request_id_are_repeated() {
    let gateway = Gateway::start().await;
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let ids = Arc::clone(&seen);
    let writes = gateway
        .leads
        .on(CAPTURE, move |before, _, request: CaptureLeadRequest| {
            ids.lock().push(request.request_id);
            if before % 3 < 2 {
                Err(Status::unavailable("restarting"))
            } else {
                Ok(captured())
            }
        });
    let capture = async |body: &str| gateway.client.post(&route(CAPTURE), &[], body.to_owned()).await;
    let answer = capture(r#"{"lead": {"company": "恒瑞"}, "requestId": "0197a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b"}"#).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(writes.count(), 3);
    assert!(
        seen.lock()
            .iter()
            .all(|id| id == "0197a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b")
    );

    let answer = capture(r#"{"lead": {"company": "恒瑞"}}"#).await;
    assert_eq!(answer.problem(StatusCode::SERVICE_UNAVAILABLE)["retry_after_ms"], 1_000);
    assert_eq!(
        writes.count(),
        4,
        "without a request_id nobody knows whether it was done"
    );

    let reads = gateway.leads.on(LIST_LEADS, |before, _, _: ListLeadsRequest| {
        if before < 3 {
            Err(Status::unavailable("restarting"))
        } else {
            Ok(ListLeadsResponse::default())
        }
    });
    assert_eq!(gateway.client.post(&route(LIST_LEADS), &[], "{}").await.status, 200);
    assert_eq!(reads.count(), 4);

    let waiting = gateway
        .leads
        .on(GET_LEAD, |_, _, _: GetLeadRequest| -> Result<GetLeadResponse, _> {
            Err(status::unavailable(Duration::from_secs(3)))
        });
    let answer = gateway.client.post(&route(GET_LEAD), &[], "{}").await;
    assert_eq!(answer.header("retry-after"), Some("3"));
    assert_eq!(
        waiting.count(),
        1,
        "a service that says when to come back is not asked before"
    );
    gateway.stop().await;
}

#[tokio::test]
async fn nobody_waits_past_the_deadline() {
    let gateway = Gateway::start_with(Limits {
        max_timeout_ms: 300,
        ..Limits::default()
    })
    .await;
    let calls = gateway.leads.on_never(GET_LEAD);
    for (header, value) in [
        ("x-timeout-ms", "50"),
        ("grpc-timeout", "50m"),
        ("x-timeout-ms", "3600000"),
    ] {
        let began = std::time::Instant::now();
        let answer = gateway.client.post(&route(GET_LEAD), &[(header, value)], "{}").await;
        assert_eq!(
            answer.problem(StatusCode::GATEWAY_TIMEOUT)["reason"],
            "DEADLINE_EXCEEDED"
        );
        assert!(began.elapsed() < Duration::from_secs(5), "the ceiling holds");
    }
    assert!(calls.count() <= 3, "not repeated");
    gateway.stop().await;
}

#[tokio::test]
async fn a_service_that_is_away_is_told_without_its_address() {
    let gateway = Gateway::start_without_leads().await;
    let answer = gateway.client.post(&route(LIST_LEADS), &[], "{}").await;
    let problem = answer.problem(StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(problem["reason"], "DEPENDENCY_UNAVAILABLE");
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert!(
        !answer.text.contains("127.0.0.1") && !answer.text.contains("tcp"),
        "{}",
        answer.text
    );
    gateway.stop().await;
}

#[tokio::test]
async fn bodies_have_a_limit_however_their_length_is_told() {
    let gateway = Gateway::start_with(Limits {
        body_bytes: 1_000,
        ..Limits::default()
    })
    .await;
    gateway
        .leads
        .on(GET_LEAD, |_, _, _: GetLeadRequest| Ok(GetLeadResponse::default()));
    let fits = format!("{}{{}}", " ".repeat(998));
    assert_eq!(gateway.client.post(&route(GET_LEAD), &[], fits).await.status, 200);
    let declared = " ".repeat(1_001);
    gateway
        .client
        .post(&route(GET_LEAD), &[], declared)
        .await
        .problem(StatusCode::PAYLOAD_TOO_LARGE);
    let chunks = (0..11).map(|_| Ok::<_, std::convert::Infallible>(" ".repeat(100)));
    let chunked = axum::body::Body::from_stream(futures_util::stream::iter(chunks));
    gateway
        .client
        .post(&route(GET_LEAD), &[], chunked)
        .await
        .problem(StatusCode::PAYLOAD_TOO_LARGE);
    gateway.stop().await;
}

#[tokio::test]
async fn the_api_describes_itself() {
    let gateway = Gateway::start().await;
    let answer = gateway.client.get("/v1/openapi.json").await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let document = answer.json();
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["paths"].get("/v1/forms/{form}").is_some());
    for (path, _) in reflex_proto::PERMISSIONS {
        assert!(document["paths"].get(route(path)).is_some(), "{path}");
    }
    gateway.stop().await;
}
