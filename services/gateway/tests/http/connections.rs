//! Slow, greedy and many clients.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use http::StatusCode;
use reflex_gateway::Limits;
use reflex_proto::leads::v1::{GetLeadRequest, GetLeadResponse};
use reflex_testing::eventually;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::{
    client::{ask, exchange},
    gateway::Gateway,
};

const GET_LEAD: &str = "/reflex.leads.v1.LeadService/GetLead";
const GET_LEAD_ROUTE: &str = "/v1/rpc/reflex.leads.v1.LeadService/GetLead";
const LIVE: &[u8] = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n";

#[tokio::test]
async fn a_head_that_drips_is_cut_off_while_idle_connections_stay() {
    let gateway = Gateway::start_with(Limits {
        head_timeout_ms: 300,
        ..Limits::default()
    })
    .await;
    let mut idle = gateway.client.connect().await;
    let mut used = gateway.client.connect().await;
    assert!(ask(&mut used, LIVE).await.starts_with("HTTP/1.1 200"));

    let began = Instant::now();
    let mut dripping = gateway.client.connect().await;
    let mut drips = 0;
    eventually("the dripping connection is cut off", async || {
        drips += 1;
        dripping.write_all(b"x").await.is_err()
    })
    .await;
    assert!(drips > 1 && began.elapsed() >= Duration::from_millis(300));

    for stream in [&mut used, &mut idle] {
        assert!(
            ask(stream, LIVE).await.contains("200"),
            "idle for longer than a head may take"
        );
    }
    gateway.stop().await;
}

#[tokio::test]
async fn idle_connections_end_at_last() {
    let gateway = Gateway::start_with(Limits {
        idle_timeout_ms: 500,
        ..Limits::default()
    })
    .await;
    let mut idle = gateway.client.connect().await;
    assert_eq!(exchange(&mut idle, b"").await, "");
    let mut used = gateway.client.connect().await;
    assert!(exchange(&mut used, LIVE).await.ends_with("alive\n"));
    gateway.stop().await;
}

#[tokio::test]
async fn a_handler_may_take_longer_than_a_head() {
    let limits = Limits {
        head_timeout_ms: 500,
        idle_timeout_ms: 500,
        timeout_ms: 1_500,
        ..Limits::default()
    };
    let gateway = Gateway::start_with(limits).await;
    gateway.leads.on_never(GET_LEAD);
    let answer = gateway.client.post(GET_LEAD_ROUTE, &[], "{}").await;
    answer.problem(StatusCode::GATEWAY_TIMEOUT);
    gateway.stop().await;
}

#[tokio::test]
async fn a_body_that_stalls_is_cut_off() {
    let gateway = Gateway::start_with(Limits {
        body_timeout_ms: 200,
        ..Limits::default()
    })
    .await;
    let mut stream = gateway.client.connect().await;
    let head = format!("POST {GET_LEAD_ROUTE} HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{{");
    let answer = exchange(&mut stream, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("connection: close") && answer.contains("application/problem+json"));
    gateway.stop().await;
}

#[tokio::test]
async fn a_body_that_ends_early_harms_nobody() {
    let gateway = Gateway::start().await;
    let mut stream = gateway.client.connect().await;
    let head = format!("POST {GET_LEAD_ROUTE} HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{{");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert_eq!(gateway.client.get("/livez").await.status, 200);
    gateway.stop().await;
}

#[tokio::test]
async fn an_answer_left_unread_is_given_up() {
    let limits = Limits {
        write_timeout_ms: 200,
        ..Limits::default()
    };
    let gateway = Gateway::start_with(limits).await;
    let lead = reflex_proto::leads::v1::Lead {
        remark: "长".repeat(1_000_000),
        ..Default::default()
    };
    gateway.leads.on(GET_LEAD, move |_, _, _: GetLeadRequest| {
        Ok(GetLeadResponse {
            lead: Some(lead.clone()),
            ..GetLeadResponse::default()
        })
    });
    let mut stream = gateway.client.connect().await;
    let request = format!("POST {GET_LEAD_ROUTE} HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{{}}");
    // Ten answers of 3 MB fit into no buffer; nothing is read until the gateway gave up.
    stream.write_all(request.repeat(10).as_bytes()).await.unwrap();
    eventually("the connection is gone", async || stream.write_all(b"x").await.is_err()).await;
    assert_eq!(gateway.client.get("/livez").await.status, 200);
    gateway.stop().await;
}

#[tokio::test]
async fn heads_have_a_limit() {
    let gateway = Gateway::start().await;
    for head in [
        format!("GET /livez HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "a".repeat(40_000)),
        format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(40_000)),
        format!("GET /livez HTTP/1.1\r\nhost: x\r\n{}\r\n", "a: b\r\n".repeat(200)),
    ] {
        let mut stream = gateway.client.connect().await;
        let answer = exchange(&mut stream, head.as_bytes()).await;
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(["431", "414", "400"].contains(&status), "{answer}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn connections_beyond_the_limit_are_refused_and_others_served() {
    let gateway = Gateway::start_with(Limits {
        max_connections: 2,
        ..Limits::default()
    })
    .await;
    let mut first = gateway.client.connect().await;
    let mut second = gateway.client.connect().await;
    assert!(ask(&mut first, LIVE).await.contains("200"));
    assert!(ask(&mut second, LIVE).await.contains("200"));
    let mut third = gateway.client.connect().await;
    let answer = exchange(&mut third, b"").await;
    assert!(
        answer.starts_with("HTTP/1.1 503") && answer.contains("retry-after: 1"),
        "{answer}"
    );
    drop(first);
    eventually("the place is free again", async || {
        let mut stream = gateway.client.connect().await;
        ask(&mut stream, LIVE).await.contains("200")
    })
    .await;
    gateway.stop().await;
}

#[tokio::test]
async fn hundreds_of_idle_connections_are_all_served() {
    let gateway = Gateway::start().await;
    let mut idle = join_all((0..400).map(|_| gateway.client.connect())).await;
    let answers = join_all(idle.iter_mut().map(|stream| ask(stream, LIVE))).await;
    assert!(answers.iter().all(|answer| answer.starts_with("HTTP/1.1 200")));
    gateway.stop().await;
}

#[tokio::test]
async fn requests_under_way_are_answered_at_the_stop() {
    let gateway = Gateway::start().await;
    let calls = gateway.leads.on_never(GET_LEAD);
    let client = gateway.client.clone();
    let under_way = client.post(GET_LEAD_ROUTE, &[("x-timeout-ms", "2000")], "{}");
    let stop = async {
        calls.reach(1).await;
        gateway.tasks.stop().cancel();
    };
    let (answer, ()) = tokio::join!(under_way, stop);
    // The service behind stops at the same moment, so it may be either; an answer it is.
    assert!(matches!(answer.status, 503 | 504), "{}", answer.text);
    gateway.stop().await;
}
