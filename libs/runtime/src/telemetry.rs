//! Logs, traces and metrics of a process, and the names they use.
//!
//! Logs go to stderr, traces and metrics by OTLP to a collector where one is set. None of them carries personal data.

use std::io::{self, IsTerminal as _};

use opentelemetry::{
    Context, global,
    metrics::Meter,
    propagation::{Extractor, TextMapPropagator as _},
    trace::{SpanContext, TraceContextExt as _, TracerProvider as _},
};
use opentelemetry_otlp::{MetricExporter, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    metrics::SdkMeterProvider,
    propagation::TraceContextPropagator,
    trace::{Sampler, SdkTracerProvider},
};
use serde::Deserialize;
use tracing::{Span, level_filters::LevelFilter};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::{
    EnvFilter, Layer, filter::Targets, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

/// Attribute: the lead a span or log line is about, as a resource name.
pub const LEAD_ID: &str = "lead.id";
/// Attribute: the tenant something belongs to.
pub const TENANT: &str = "tenant";
/// Attribute: the name of a database transaction, which is the name of its use case.
pub const TRANSACTION: &str = "db.transaction";
/// Attribute: the stream shard something came from.
pub const SHARD: &str = "shard";
/// Attribute: the full name of an event's message.
pub const EVENT_TYPE: &str = "event.type";
/// Attribute: the full name of a gRPC service.
pub const RPC_SERVICE: &str = "rpc.service";
/// Attribute: the method of a gRPC service.
pub const RPC_METHOD: &str = "rpc.method";
/// Attribute: the status code a gRPC call ended with, as a number.
pub const RPC_STATUS: &str = "rpc.grpc.status_code";

/// Where logs, traces and metrics go.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetryConfig {
    /// gRPC address of an OpenTelemetry collector, for example `http://localhost:4317`; without one, nothing is exported.
    pub otlp_endpoint: Option<String>,
    /// Which log lines to write, for example `info,reflex_leads=debug`.
    pub log: String,
    /// Whether log lines are JSON objects.
    pub json: bool,
    /// Share of new traces that is exported, 0 to 1; a trace begun elsewhere follows the decision made there.
    pub trace_ratio: f64,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self {
            otlp_endpoint: None,
            log: "info".to_owned(),
            json: false,
            trace_ratio: 1.0,
        }
    }
}

/// Telemetry cannot start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The log filter is malformed.
    #[error("log filter {0:?} is malformed")]
    Filter(String, #[source] tracing_subscriber::filter::ParseError),
    /// The collector's address is unusable.
    #[error("collector {0:?} is unusable")]
    Collector(String, #[source] opentelemetry_otlp::ExporterBuildError),
    /// Somebody else has set the process-wide subscriber.
    #[error("telemetry was started before")]
    Twice(#[source] tracing_subscriber::util::TryInitError),
}

/// Running telemetry; shut it down last, so that nothing of the end is lost.
pub struct Telemetry {
    exporters: Option<Exporters>,
}

struct Exporters {
    traces: SdkTracerProvider,
    metrics: SdkMeterProvider,
}

/// Starts the telemetry of a process, inside its tokio runtime and before the first [`meter`] is asked for.
///
/// # Errors
///
/// Fails on a malformed filter or address, and when called twice.
pub fn start(service_name: &'static str, config: &TelemetryConfig) -> Result<Telemetry, TelemetryError> {
    let filter = EnvFilter::try_new(&config.log).map_err(|error| TelemetryError::Filter(config.log.clone(), error))?;
    let exporters = match &config.otlp_endpoint {
        Some(endpoint) => {
            let exporters = Exporters::start(service_name, endpoint, config.trace_ratio);
            Some(exporters.map_err(|error| TelemetryError::Collector(endpoint.clone(), error))?)
        }
        None => None,
    };

    let lines = fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    let lines = if config.json {
        lines.json().flatten_event(true).with_span_list(false).boxed()
    } else {
        lines.compact().boxed()
    };
    // Spans of the transport below the exporter itself would be exported for ever: only our own are.
    let traces = exporters.as_ref().map(|exporters| {
        tracing_opentelemetry::layer()
            .with_tracer(exporters.traces.tracer("reflex"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(Targets::new().with_target("reflex", LevelFilter::INFO))
    });
    tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .with(traces)
        .try_init()
        .map_err(TelemetryError::Twice)?;

    global::set_text_map_propagator(TraceContextPropagator::new());
    if let Some(exporters) = &exporters {
        global::set_meter_provider(exporters.metrics.clone());
    }
    Ok(Telemetry { exporters })
}

impl Exporters {
    fn start(
        service_name: &'static str,
        endpoint: &str,
        trace_ratio: f64,
    ) -> Result<Self, opentelemetry_otlp::ExporterBuildError> {
        let resource = Resource::builder().with_service_name(service_name).build();
        let spans = SpanExporter::builder().with_tonic().with_endpoint(endpoint).build()?;
        let values = MetricExporter::builder().with_tonic().with_endpoint(endpoint).build()?;
        let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(trace_ratio)));
        Ok(Self {
            traces: SdkTracerProvider::builder()
                .with_batch_exporter(spans)
                .with_sampler(sampler)
                .with_resource(resource.clone())
                .build(),
            metrics: SdkMeterProvider::builder()
                .with_periodic_exporter(values)
                .with_resource(resource)
                .build(),
        })
    }
}

impl Telemetry {
    /// Sends what is left to the collector and stops; waits a few seconds for one that does not answer.
    pub async fn shutdown(self) {
        let Some(exporters) = self.exporters else { return };
        // The exporters block their caller until their own threads are done, which need this runtime's network.
        let stopped = tokio::task::spawn_blocking(move || {
            let _traces_sent = exporters.traces.shutdown();
            let _metrics_sent = exporters.metrics.shutdown();
        });
        if stopped.await.is_err() {
            tracing::warn!("telemetry did not stop in good order");
        }
    }
}

/// Returns the meter of all metrics. Instruments made before [`start`] count nothing: make them when serving begins.
#[must_use]
pub fn meter() -> Meter {
    global::meter("reflex")
}

/// Returns the W3C `traceparent` of the current span, to be stored with an event or sent with a request.
#[must_use]
pub fn current_traceparent() -> Option<String> {
    let context = Span::current().context();
    let span = context.span();
    Some(span.span_context())
        .filter(|context| context.is_valid())
        .map(traceparent)
}

/// Makes `span` continue the trace of a W3C `traceparent`; a malformed one is ignored, as the standard asks.
///
/// Works until the span is entered for the first time.
pub fn set_parent(span: &Span, traceparent: &str) {
    let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &Traceparent(traceparent));
    if parent.span().span_context().is_valid() {
        // Fails where traces are not exported: there is nothing to continue then.
        let _continued = span.set_parent(parent);
    }
}

fn traceparent(context: &SpanContext) -> String {
    format!(
        "00-{}-{}-{:02x}",
        context.trace_id(),
        context.span_id(),
        context.trace_flags().to_u8()
    )
}

/// Headers with a single entry.
struct Traceparent<'a>(&'a str);

impl Extractor for Traceparent<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        (key == "traceparent").then_some(self.0)
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent"]
    }
}

#[cfg(test)]
mod tests {
    use tracing::info_span;

    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn traced<T>(test: impl FnOnce() -> T) -> T {
        let provider = SdkTracerProvider::builder().build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), test)
    }

    #[test]
    fn a_span_continues_the_trace_it_was_given() {
        traced(|| {
            let span = info_span!("continued");
            set_parent(&span, PARENT);
            let inside = span.in_scope(current_traceparent).unwrap();
            let (trace, own) = (&PARENT[..36], &inside[36..52]);
            assert!(inside.starts_with(trace), "{inside} is of the same trace");
            assert_ne!(own, &PARENT[36..52], "but a span of its own");
            assert!(inside.ends_with("-01"));
        });
    }

    #[test]
    fn malformed_parents_are_ignored() {
        traced(|| {
            for malformed in [
                "",
                "00",
                "00-0-0-01",
                &PARENT[..50],
                &PARENT.replace("0af7", "zzzz"),
                "ff-x",
            ] {
                let span = info_span!("own");
                set_parent(&span, malformed);
                let inside = span.in_scope(current_traceparent).unwrap();
                assert!(!inside.starts_with(&PARENT[..36]), "{malformed:?}");
            }
        });
    }

    #[test]
    fn without_export_there_is_no_traceparent() {
        let span = info_span!("untraced");
        set_parent(&span, PARENT);
        assert_eq!(span.in_scope(current_traceparent), None);
    }

    #[tokio::test]
    async fn a_malformed_filter_is_refused() {
        let config = TelemetryConfig {
            log: "reflex=loud".to_owned(),
            ..TelemetryConfig::default()
        };
        assert!(matches!(start("test", &config), Err(TelemetryError::Filter(..))));
    }
}
