//! Streams as lines of JSON.

use std::{convert::Infallible, io, sync::Arc};

use axum::body::{Body, Bytes};
use futures_util::{StreamExt as _, stream};
use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use parking_lot::Mutex;
use prost::Message as _;
use reflex_gateway::Limits;
use reflex_proto::{
    leads::v1::{StreamCaptureLeadsRequest, StreamCaptureLeadsResponse},
    notifications::v1::{InboxItem, WatchInboxResponse},
};
use reflex_rpc::status;
use reflex_testing::eventually;
use serde_json::{Value, json};
use tonic::Status;

use crate::{backend::Calls, gateway::Gateway};

const WATCH: &str = "/reflex.notifications.v1.InboxService/WatchInbox";
const STREAM: &str = "/reflex.leads.v1.LeadService/StreamCaptureLeads";
const WATCH_ROUTE: &str = "/v1/rpc/reflex.notifications.v1.InboxService/WatchInbox";
const STREAM_ROUTE: &str = "/v1/rpc/reflex.leads.v1.LeadService/StreamCaptureLeads";
const NDJSON: [(&str, &str); 1] = [("content-type", "application/x-ndjson")];

fn item(title: &str) -> Bytes {
    let item = InboxItem {
        title: title.to_owned(),
        ..InboxItem::default()
    };
    let response = WatchInboxResponse {
        item: Some(item),
        ..WatchInboxResponse::default()
    };
    response.encode_to_vec().into()
}

async fn line(body: &mut Incoming) -> Option<Value> {
    let data = body.frame().await?.unwrap().into_data().unwrap();
    assert!(data.ends_with(b"\n"));
    Some(serde_json::from_slice(&data).unwrap())
}

#[tokio::test]
async fn answers_come_line_by_line_as_they_are_sent() {
    let gateway = Gateway::start().await;
    let items = gateway.notifications.on_watch(WATCH);
    items.send(Ok(item("first"))).await.unwrap();
    let (head, mut body) = gateway.client.open(Method::POST, WATCH_ROUTE, &[], "{}").await;
    assert_eq!(
        (head.status, &head.headers["content-type"]),
        (StatusCode::OK, &"application/x-ndjson".parse().unwrap())
    );
    assert_eq!(line(&mut body).await, Some(json!({"item": {"title": "first"}})));
    // Nothing of this was sent before the first arrived.
    items.send(Ok(item("第二"))).await.unwrap();
    assert_eq!(line(&mut body).await, Some(json!({"item": {"title": "第二"}})));
    drop(items);
    assert_eq!(line(&mut body).await, None);
    gateway.stop().await;
}

#[tokio::test]
async fn a_stream_that_fails_ends_with_its_problem() {
    let gateway = Gateway::start().await;
    let items = gateway.notifications.on_watch(WATCH);
    items.send(Ok(item("first"))).await.unwrap();
    items
        .send(Err(status::overloaded(std::time::Duration::from_secs(1))))
        .await
        .unwrap();
    let (_, mut body) = gateway.client.open(Method::POST, WATCH_ROUTE, &[], "{}").await;
    line(&mut body).await.unwrap();
    let last = line(&mut body).await.unwrap();
    assert_eq!(
        (&last["problem"]["status"], &last["problem"]["reason"]),
        (&json!(429), &json!("OVERLOADED"))
    );
    assert_eq!(line(&mut body).await, None);
    gateway.stop().await;
}

#[tokio::test]
async fn a_failure_before_the_first_answer_is_an_ordinary_problem() {
    let gateway = Gateway::start().await;
    let answer = gateway.client.post(WATCH_ROUTE, &[], "{}").await;
    answer.problem(StatusCode::NOT_IMPLEMENTED);
    let answer = gateway.client.post(WATCH_ROUTE, &[], r#"{"nobody": 1}"#).await;
    assert_eq!(answer.violated(), ["nobody"]);
    gateway.stop().await;
}

#[tokio::test]
async fn a_reader_that_leaves_or_is_over_time_is_told_to_the_service() {
    let gateway = Gateway::start().await;
    let items = gateway.notifications.on_watch(WATCH);
    items.send(Ok(item("first"))).await.unwrap();
    let (_, mut body) = gateway.client.open(Method::POST, WATCH_ROUTE, &[], "{}").await;
    line(&mut body).await.unwrap();
    drop(body);
    items.closed().await;

    let items = gateway.notifications.on_watch(WATCH);
    let headers = [("x-timeout-ms", "1000")];
    let (_, mut body) = gateway.client.open(Method::POST, WATCH_ROUTE, &headers, "{}").await;
    assert_eq!(line(&mut body).await.unwrap()["problem"]["reason"], "DEADLINE_EXCEEDED");
    items.closed().await;
    gateway.stop().await;
}

#[tokio::test]
async fn readers_have_places_of_their_own_and_are_sent_away_at_the_stop() {
    let gateway = Gateway::start_with(Limits {
        max_streams: 1,
        max_in_flight: 1,
        ..Limits::default()
    })
    .await;
    let items = gateway.notifications.on_watch(WATCH);
    let (head, mut body) = gateway.client.open(Method::POST, WATCH_ROUTE, &[], "{}").await;
    assert_eq!(head.status, StatusCode::OK);
    let answer = gateway.client.post(WATCH_ROUTE, &[], "{}").await;
    assert_eq!(answer.problem(StatusCode::SERVICE_UNAVAILABLE)["reason"], "OVERLOADED");
    assert_eq!(
        gateway.client.get("/v1/openapi.json").await.status,
        200,
        "the reader holds up nobody else"
    );

    gateway.tasks.stop().cancel();
    assert_eq!(line(&mut body).await.unwrap()["problem"]["status"], 503);
    assert_eq!(line(&mut body).await, None);
    drop(items);
    gateway.stop().await;
}

/// What the service got of a stream: the companies, and whether it ended as it should.
type Got = Arc<Mutex<Option<(Vec<String>, bool)>>>;

fn takes_streams(gateway: &Gateway) -> (Got, Calls) {
    let got = Got::default();
    let kept = Arc::clone(&got);
    let messages = gateway
        .leads
        .on_stream(STREAM, move |requests: Vec<StreamCaptureLeadsRequest>, ended| {
            let companies: Vec<_> = requests
                .into_iter()
                .map(|request| request.lead.unwrap().company)
                .collect();
            let captured_count = companies.len().try_into().unwrap();
            *kept.lock() = Some((companies, ended.is_ok()));
            StreamCaptureLeadsResponse {
                captured_count,
                ..StreamCaptureLeadsResponse::default()
            }
        });
    (got, messages)
}

fn lines(count: usize) -> String {
    let lines: Vec<_> = (0..count)
        .map(|at| {
            json!({"lead": {"company": format!("公司{at}")}}).to_string()
                + "
"
        })
        .collect();
    lines.concat()
}

#[tokio::test]
async fn many_lines_go_as_one_stream() {
    let gateway = Gateway::start().await;
    let (got, _) = takes_streams(&gateway);
    let answer = gateway.client.post(STREAM_ROUTE, &NDJSON, lines(5_000)).await;
    assert_eq!(answer.json(), json!({"capturedCount": "5000"}));
    let (companies, ended) = got.lock().take().unwrap();
    assert!(ended && companies.len() == 5_000 && companies[4_999] == "公司4999");
    assert_eq!(gateway.client.post(STREAM_ROUTE, &NDJSON, "").await.json(), json!({}));
    gateway
        .client
        .post(STREAM_ROUTE, &[("content-type", "text/csv")], "")
        .await
        .problem(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    gateway.stop().await;
}

/// Returns a body of a hundred lines and, once the service has them, `then`.
fn hundred_lines_and(messages: &Calls, then: Result<String, io::Error>) -> Body {
    let messages = messages.clone();
    let later = async move {
        messages.reach(100).await;
        then
    };
    Body::from_stream(stream::iter([Ok(lines(100))]).chain(stream::once(later)))
}

#[tokio::test]
async fn a_bad_line_resets_the_call() {
    let gateway = Gateway::start().await;
    let (got, messages) = takes_streams(&gateway);
    let body = hundred_lines_and(&messages, Ok("{\"lead\":{\"firm\":1}}\n".to_owned()));
    let answer = gateway.client.post(STREAM_ROUTE, &NDJSON, body).await;
    assert_eq!(answer.violated(), ["line 101: lead.firm"]);
    let (companies, ended) = eventually("the service sees the end", async || got.lock().take()).await;
    assert!(!ended, "what came so far must not look like everything");
    assert_eq!(companies.len(), 100);
    gateway.stop().await;
}

#[tokio::test]
async fn a_client_that_goes_away_resets_the_call() {
    let gateway = Gateway::start().await;
    let (got, messages) = takes_streams(&gateway);
    let body = hundred_lines_and(&messages, Err(io::ErrorKind::BrokenPipe.into()));
    let request = http::Request::post(format!("http://{}{STREAM_ROUTE}", gateway.client.address()));
    let request = request
        .header("content-type", "application/x-ndjson")
        .body(body)
        .unwrap();
    assert!(gateway.client.try_send(request).await.is_err());
    let (_, ended) = eventually("the service sees the end", async || got.lock().take()).await;
    assert!(!ended);
    gateway.stop().await;
}

#[tokio::test]
async fn lines_and_bodies_have_limits() {
    let limits = Limits {
        body_bytes: 100,
        stream_bytes: 1_000,
        body_timeout_ms: 500,
        ..Limits::default()
    };
    let gateway = Gateway::start_with(limits).await;
    let _streams = takes_streams(&gateway);
    let answer = gateway.client.post(STREAM_ROUTE, &NDJSON, " ".repeat(101)).await;
    assert!(
        answer.problem(StatusCode::PAYLOAD_TOO_LARGE)["detail"]
            .as_str()
            .unwrap()
            .starts_with("line 1 ")
    );
    gateway
        .client
        .post(STREAM_ROUTE, &NDJSON, lines(50))
        .await
        .problem(StatusCode::PAYLOAD_TOO_LARGE);
    let silent = stream::pending::<Result<Bytes, Infallible>>();
    let answer = gateway
        .client
        .post(STREAM_ROUTE, &NDJSON, Body::from_stream(silent))
        .await;
    answer.problem(StatusCode::REQUEST_TIMEOUT);
    gateway.stop().await;
}

#[tokio::test]
async fn an_answer_may_come_before_the_stream_ends() {
    let gateway = Gateway::start().await;
    gateway.leads.on(
        STREAM,
        |_, _, _: StreamCaptureLeadsRequest| -> Result<StreamCaptureLeadsResponse, Status> {
            Err(status::denied("leads.capture"))
        },
    );
    let first = stream::iter([Ok::<_, Infallible>(Bytes::from(lines(1)))]);
    let endless = first.chain(stream::pending());
    let answer = gateway
        .client
        .post(STREAM_ROUTE, &NDJSON, Body::from_stream(endless))
        .await;
    assert_eq!(answer.problem(StatusCode::FORBIDDEN)["reason"], "PERMISSION_DENIED");
    gateway.stop().await;
}
