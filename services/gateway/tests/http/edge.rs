//! What happens to every request: load, loops, traces, metrics.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use http::StatusCode;
use opentelemetry::{global, trace::TracerProvider as _};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    metrics::{
        PeriodicReader, SdkMeterProvider, Temporality,
        data::{AggregatedMetrics, MetricData, ResourceMetrics, ScopeMetrics},
        exporter::PushMetricExporter,
    },
    trace::SdkTracerProvider,
};
use parking_lot::Mutex;
use reflex_gateway::Limits;
use reflex_proto::leads::v1::{GetLeadRequest, GetLeadResponse};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::gateway::Gateway;

const GET_LEAD: &str = "/reflex.leads.v1.LeadService/GetLead";
const GET_LEAD_ROUTE: &str = "/v1/rpc/reflex.leads.v1.LeadService/GetLead";
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[tokio::test]
async fn too_many_requests_at_once_are_refused_but_not_probes() {
    let gateway = Gateway::start_with(Limits {
        max_in_flight: 1,
        ..Limits::default()
    })
    .await;
    let calls = gateway.leads.on_never(GET_LEAD);
    let client = gateway.client.clone();
    let waiting = client.post(GET_LEAD_ROUTE, &[("x-timeout-ms", "20000")], "{}");
    let meanwhile = async {
        calls.reach(1).await;
        let answer = gateway.client.post(GET_LEAD_ROUTE, &[], "{}").await;
        assert_eq!(answer.problem(StatusCode::SERVICE_UNAVAILABLE)["reason"], "OVERLOADED");
        assert_eq!(answer.header("retry-after"), Some("1"));
        assert_eq!(gateway.client.get("/livez").await.status, 200);
    };
    tokio::select! {
        waited = waiting => panic!("nobody answers, but there is {waited:?}"),
        () = meanwhile => {}
    }
    gateway.stop().await;
}

#[tokio::test]
async fn loops_are_refused() {
    let gateway = Gateway::start().await;
    gateway.leads.on(GET_LEAD, |_, metadata, _: GetLeadRequest| {
        assert_eq!(metadata.get("x-reflex-hop").unwrap(), "3");
        Ok(GetLeadResponse::default())
    });
    for (hops, status) in [("2", 200), ("3", 508), ("4000000000", 508), ("-1", 508), ("loop", 508)] {
        let answer = gateway
            .client
            .post(GET_LEAD_ROUTE, &[("x-reflex-hop", hops)], "{}")
            .await;
        assert_eq!(answer.status, status, "{hops}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_trace_goes_through() {
    let provider = SdkTracerProvider::builder().build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
    let gateway = Gateway::start().await;
    let seen = Arc::new(Mutex::new(String::new()));
    let kept = Arc::clone(&seen);
    gateway.leads.on(GET_LEAD, move |_, metadata, _: GetLeadRequest| {
        *kept.lock() = metadata.get("traceparent").unwrap().to_str().unwrap().to_owned();
        Ok(GetLeadResponse::default())
    });
    let answer = gateway
        .client
        .post(GET_LEAD_ROUTE, &[("traceparent", PARENT)], "{}")
        .await;
    let told = answer.header("traceparent").unwrap().to_owned();
    assert_eq!(
        *seen.lock(),
        told,
        "the service continues the span that the client is told"
    );
    assert_eq!(told[..36], PARENT[..36], "of the client's trace");
    assert_ne!(told[36..52], PARENT[36..52], "in a span of its own");

    let answer = gateway
        .client
        .post(GET_LEAD_ROUTE, &[("traceparent", "00-zz")], "{}")
        .await;
    assert_eq!(
        answer.header("traceparent").unwrap().len(),
        55,
        "a malformed one begins a new trace"
    );
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_counted_by_route_and_status() {
    let exporter = Seen::default();
    let provider = SdkMeterProvider::builder()
        .with_reader(PeriodicReader::builder(exporter.clone()).build())
        .build();
    global::set_meter_provider(provider.clone());
    let gateway = Gateway::start().await;
    gateway
        .leads
        .on(GET_LEAD, |_, _, _: GetLeadRequest| Ok(GetLeadResponse::default()));
    gateway.client.post(GET_LEAD_ROUTE, &[], "{}").await;
    gateway.client.post(GET_LEAD_ROUTE, &[], "{").await;
    let invented = http::Method::from_bytes(b"INVENTED").unwrap();
    gateway.client.send(invented, GET_LEAD_ROUTE, &[], "").await;
    tokio::task::spawn_blocking(move || provider.force_flush())
        .await
        .unwrap()
        .unwrap();

    let route = "http.route=/v1/rpc/{service}/{method}";
    for (method, status) in [("POST", 200), ("POST", 400), ("_OTHER", 405)] {
        let point = format!("http.request.method={method} http.response.status_code={status} {route}");
        assert!(
            exporter.0.lock().contains(&point),
            "{point} is not in {:?}",
            exporter.0.lock()
        );
    }
    gateway.stop().await;
}

/// Keeps the attributes of all points of the histogram.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<BTreeSet<String>>>);

impl PushMetricExporter for Seen {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let metrics = metrics.scope_metrics().flat_map(ScopeMetrics::metrics);
        for metric in metrics.filter(|metric| metric.name() == "http.server.request.duration") {
            let AggregatedMetrics::F64(MetricData::Histogram(histogram)) = metric.data() else {
                panic!("a histogram");
            };
            for point in histogram.data_points() {
                let mut attributes: Vec<_> = point
                    .attributes()
                    .map(|one| format!("{}={}", one.key, one.value))
                    .collect();
                attributes.sort();
                self.0.lock().insert(attributes.join(" "));
            }
        }
        Ok(())
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self) -> Temporality {
        Temporality::Cumulative
    }
}
