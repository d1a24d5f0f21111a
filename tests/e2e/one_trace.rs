//! One lead is one trace: from the form at the gateway to the provider that tells its owner.
//!
//! A test program of its own, because a process has one telemetry.

#![expect(
    clippy::unwrap_used,
    reason = "a story whose scene cannot be set fails where it stands"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

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
    trace::v1::Span,
};
use parking_lot::Mutex;
use reflex_proto::{
    leads::v1::{Form, PutFormRequest, form_service_client::FormServiceClient},
    notifications::v1::{Channel, PutChannelRequest, channel, channel_service_client::ChannelServiceClient},
};
use reflex_rpc::identity::Role;
use reflex_runtime::{
    tasks::Tasks,
    telemetry::{self, TelemetryConfig},
};
use reflex_tenancy::TenantId;
use reflex_testing::eventually;
use reflex_tests::{
    simulator::{Robot, Simulator, SimulatorOptions},
    suite::Suite,
    web,
};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, transport::Server};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const ROBOT: &str = "huadong-sales";

/// The lead's way, each step below the one before it.
const WAY: [&str; 7] = [
    "POST /v1/forms/{form}",
    "reflex.leads.v1.LeadService/CaptureLead",
    "route_lead",
    "relay_event",
    "consume_event",
    "send_message",
    "http_call",
];

/// A collector that keeps the spans it is sent.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<Span>>>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let scopes = request
            .into_inner()
            .resource_spans
            .into_iter()
            .flat_map(|resource| resource.scope_spans);
        self.0.lock().extend(scopes.flat_map(|scope| scope.spans));
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Collector {
    async fn export(
        &self,
        _request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

impl Collector {
    /// Starts the collector and returns it with its address.
    async fn start(tasks: &Tasks) -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let collector = Self::default();
        let server = Server::builder()
            .add_service(TraceServiceServer::new(collector.clone()))
            .add_service(MetricsServiceServer::new(collector.clone()));
        tasks.spawn(
            "collector",
            server.serve_with_incoming(TcpListenerStream::new(listener)),
        );
        (collector, address)
    }
}

/// Sets up a tenant with a form and a robot, and returns the form's write key.
async fn set_up(suite: &Suite, tenant: &TenantId, robot: String) -> String {
    suite.set_up(tenant, &["members/wang"], 10).await;
    let channel = Channel {
        name: "channels/huadong".into(),
        kind: channel::Kind::DingtalkRobot.into(),
        endpoint: robot,
        enabled: true,
        ..Channel::default()
    };
    let request = PutChannelRequest {
        channel: Some(channel),
        request_id: String::new(),
    };
    ChannelServiceClient::new(suite.notifications(tenant, Role::Admin, None))
        .put_channel(request)
        .await
        .unwrap();
    let form = Form {
        name: "forms/contact".into(),
        title: "联系我们".into(),
        source: "website".into(),
        enabled: true,
        ..Form::default()
    };
    let request = PutFormRequest {
        form: Some(form),
        request_id: String::new(),
    };
    let stored = FormServiceClient::new(suite.leads(tenant, Role::Admin, None))
        .put_form(request)
        .await
        .unwrap();
    stored.into_inner().form.unwrap().write_key
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_is_one_trace_from_the_form_to_the_provider() {
    let collectors = Tasks::new();
    let (collector, endpoint) = Collector::start(&collectors).await;
    let config = TelemetryConfig {
        otlp_endpoint: Some(endpoint),
        log: "warn".into(),
        ..TelemetryConfig::default()
    };
    let telemetry = telemetry::start("reflex-standalone", &config).unwrap();
    let robot = Robot {
        token: ROBOT.into(),
        ..Robot::default()
    };
    let options = SimulatorOptions {
        robots: vec![robot],
        ..SimulatorOptions::default()
    };
    let simulator = Simulator::start(options).await.unwrap();
    let suite = Suite::start().await;
    let key = set_up(&suite, &"huadong".parse().unwrap(), simulator.dingtalk_address(ROBOT)).await;

    let headers = [
        ("content-type", "application/json".to_owned()),
        ("x-write-key", key),
        ("traceparent", format!("00-{TRACE}-b7ad6b7169203331-01")),
    ];
    let url = format!("{}/v1/forms/contact", suite.gateway_url());
    let answer = web::post(&url, &headers, r#"{"company": "江苏恒瑞"}"#).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    assert!(
        answer.headers["traceparent"].to_str().unwrap().contains(TRACE),
        "the page can name the trace"
    );
    let sent = eventually("the provider has the message", async || simulator.messages().pop()).await;
    suite.stop().await;
    telemetry.shutdown().await;

    let spans: Vec<Span> = collector.0.lock().clone();
    let of_lead: BTreeMap<Vec<u8>, Span> = spans
        .into_iter()
        .filter(|span| hex(&span.trace_id) == TRACE)
        .map(|span| (span.span_id.clone(), span))
        .collect();
    let names: BTreeSet<_> = of_lead.values().map(|span| span.name.as_str()).collect();
    let traceparent = sent.traceparent.unwrap();
    let mut at = of_lead
        .values()
        .find(|span| traceparent == format!("00-{TRACE}-{}-01", hex(&span.span_id)));
    let mut way = Vec::new();
    while let Some(span) = at {
        way.push(span.name.as_str());
        assert!(span.end_time_unix_nano >= span.start_time_unix_nano);
        at = of_lead.get(&span.parent_span_id);
    }
    way.reverse();
    assert_eq!(way, WAY, "of {names:?}");

    let outside = of_lead
        .values()
        .filter(|span| !of_lead.contains_key(&span.parent_span_id));
    let outside: Vec<_> = outside
        .map(|span| (span.name.as_str(), hex(&span.parent_span_id)))
        .collect();
    assert_eq!(
        outside,
        [(WAY[0], "b7ad6b7169203331".to_owned())],
        "everything hangs below the caller's span"
    );
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}
