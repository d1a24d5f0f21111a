//! What reaches an OpenTelemetry collector.

use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::{
    collector::{
        metrics::v1::{
            ExportMetricsServiceRequest, ExportMetricsServiceResponse,
            metrics_service_server::{MetricsService, MetricsServiceServer},
        },
        trace::v1::{
            ExportTraceServiceRequest, ExportTraceServiceResponse,
            trace_service_server::{TraceService, TraceServiceServer},
        },
    },
    resource::v1::Resource,
};
use reflex_runtime::{
    tasks::Tasks,
    telemetry::{self, TelemetryConfig},
};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, transport::Server};
use tracing::info_span;

/// Notes what it is sent as "service: name".
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<String>>>);

impl Collector {
    fn note<'a>(&self, resource: Option<&Resource>, names: impl Iterator<Item = &'a String>) {
        let service = format!("{resource:?}");
        let service = if service.contains("reflex-test") {
            "reflex-test"
        } else {
            "unknown"
        };
        self.0
            .lock()
            .expect("nobody panicked")
            .extend(names.map(|name| format!("{service}: {name}")));
    }
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        for of_resource in &request.get_ref().resource_spans {
            let spans = of_resource.scope_spans.iter().flat_map(|scope| &scope.spans);
            self.note(of_resource.resource.as_ref(), spans.map(|span| &span.name));
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Collector {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        for of_resource in &request.get_ref().resource_metrics {
            let metrics = of_resource.scope_metrics.iter().flat_map(|scope| &scope.metrics);
            self.note(of_resource.resource.as_ref(), metrics.map(|metric| &metric.name));
        }
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

#[tokio::test]
async fn spans_and_metrics_of_ours_arrive_before_the_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (collector, tasks) = (Collector::default(), Tasks::new());
    let server = Server::builder()
        .add_service(TraceServiceServer::new(collector.clone()))
        .add_service(MetricsServiceServer::new(collector.clone()));
    tasks.spawn(
        "collector",
        server.serve_with_incoming(TcpListenerStream::new(listener)),
    );

    let config = TelemetryConfig {
        otlp_endpoint: Some(endpoint),
        log: "off".to_owned(),
        ..TelemetryConfig::default()
    };
    let running = telemetry::start("reflex-test", &config).unwrap();
    let twice = telemetry::start("reflex-test", &TelemetryConfig::default());
    assert!(twice.is_err(), "a process has one telemetry");

    telemetry::meter().u64_counter("leads.captured").build().add(1, &[]);
    info_span!(target: "reflex_leads", "capture_lead").in_scope(|| assert!(telemetry::current_traceparent().is_some()));
    info_span!(target: "h2", "frame").in_scope(|| ());
    running.shutdown().await;

    let mut noted = collector.0.lock().expect("nobody panicked").clone();
    noted.sort_unstable();
    assert_eq!(noted, ["reflex-test: capture_lead", "reflex-test: leads.captured"]);
}
