//! What happens to every request before and after its handler: trace, metrics, load, loops, panics.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use futures_util::FutureExt as _;
use http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{CACHE_CONTROL, CONNECTION, X_CONTENT_TYPE_OPTIONS},
};
use opentelemetry::{KeyValue, metrics::Histogram};
use reflex_proto::platform::v1::Reason;
use reflex_runtime::telemetry;
use tokio::sync::Semaphore;
use tracing::{Instrument as _, Span, field::Empty, info_span};

use crate::{
    call::{HOP, Passage, TRACEPARENT},
    problem::Problem,
};

/// Upper bounds of the duration's buckets, in seconds, as OpenTelemetry advises for HTTP.
const DURATIONS: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// What the edge needs.
pub(crate) struct Edge {
    in_flight: Semaphore,
    max_hops: u32,
    durations: Histogram<f64>,
}

impl Edge {
    /// Returns the edge; made after telemetry was started, else its metrics go nowhere.
    pub(crate) fn new(max_in_flight: usize, max_hops: u32) -> Self {
        let durations = telemetry::meter()
            .f64_histogram("http.server.request.duration")
            .with_unit("s")
            .with_boundaries(DURATIONS.to_vec())
            .build();
        Self {
            in_flight: Semaphore::new(max_in_flight),
            max_hops,
            durations,
        }
    }

    fn passage(&self, headers: &HeaderMap, span: &Span) -> Result<Passage, Problem> {
        let traceparent = span.in_scope(telemetry::current_traceparent);
        // Without traces of our own the caller's goes along as it came.
        let traceparent = match traceparent {
            Some(ours) => HeaderValue::try_from(ours).ok(),
            None => headers.get(TRACEPARENT).filter(|value| value.len() <= 64).cloned(),
        };
        let hops = match headers.get(HOP) {
            None => 0,
            Some(hops) => hops
                .to_str()
                .ok()
                .and_then(|hops| hops.parse().ok())
                .unwrap_or(u32::MAX),
        };
        if hops >= self.max_hops {
            return Err(Problem::new(
                StatusCode::LOOP_DETECTED,
                "the request came through too many gateways",
            ));
        }
        Ok(Passage {
            traceparent,
            hop: hops + 1,
        })
    }

    fn observe(&self, method: &Method, route: &str, status: StatusCode, duration: Duration) {
        let attributes = [
            KeyValue::new("http.request.method", method_name(method)),
            KeyValue::new("http.route", route.to_owned()),
            KeyValue::new("http.response.status_code", i64::from(status.as_u16())),
        ];
        self.durations.record(duration.as_secs_f64(), &attributes);
    }
}

/// Passes a request on to its handler, and its answer back.
pub(crate) async fn pass(
    State(edge): State<Arc<Edge>>,
    route: MatchedPath,
    mut request: Request,
    next: Next,
) -> Response {
    let began = Instant::now();
    let method = request.method().clone();
    let span = span(&method, &route, request.headers());
    let passage = edge.passage(request.headers(), &span);
    let traceparent = passage.as_ref().ok().and_then(|passage| passage.traceparent.clone());

    let answer = async {
        request.extensions_mut().insert(passage?);
        let _place = edge.in_flight.try_acquire().map_err(|_| {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too much to do at the moment")
                .because(Reason::Overloaded)
                .retry_after(Duration::from_secs(1))
        })?;
        AssertUnwindSafe(next.run(request)).catch_unwind().await.map_err(|_| {
            tracing::error!("a request made its handler panic");
            Problem::internal()
        })
    };
    let answer: Result<Response, Problem> = answer.instrument(span.clone()).await;
    let mut response = answer.into_response();

    let status = response.status();
    span.record("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        span.record("otel.status_code", "error");
    }
    edge.observe(&method, route.as_str(), status, began.elapsed());
    add_headers(&mut response, traceparent);
    response
}

fn span(method: &Method, route: &MatchedPath, headers: &HeaderMap) -> Span {
    let (method, route) = (method_name(method), route.as_str());
    let span = info_span!(
        "http",
        otel.name = %format_args!("{method} {route}"),
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = Empty,
    );
    if let Some(parent) = headers.get(TRACEPARENT).and_then(|parent| parent.to_str().ok()) {
        telemetry::set_parent(&span, parent);
    }
    span
}

fn add_headers(response: &mut Response, traceparent: Option<HeaderValue>) {
    let status = response.status();
    let headers = response.headers_mut();
    if let Some(traceparent) = traceparent {
        headers.insert(TRACEPARENT, traceparent);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    // What is left of such a body is not worth reading.
    if matches!(status, StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT) {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
}

/// Returns the name of a method for metrics; invented ones share one, or they would make metrics without end.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::OPTIONS => "OPTIONS",
        Method::HEAD => "HEAD",
        _ => "_OTHER",
    }
}
