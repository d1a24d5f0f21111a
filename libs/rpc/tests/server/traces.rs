//! What the stack tells the trace.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use opentelemetry::trace::{SpanKind, Status as SpanStatus, TracerProvider as _};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{SdkTracerProvider, SpanData, SpanExporter},
};
use reflex_proto::platform::v1::{
    DropDeadLetterRequest, GetDeadLetterRequest, ListDeadLettersRequest, ReplayDeadLetterRequest,
};
use reflex_runtime::telemetry;
use tracing::{Instrument as _, info_span};
use tracing_subscriber::{layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::harness::{Harness, SERVICE};

#[derive(Debug, Clone, Default)]
struct Recorder(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Recorder {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().unwrap().extend(batch);
        Ok(())
    }
}

/// Records the spans of the whole process: a subscriber of one thread would not see spans that the tests of other
/// threads have met before, without one.
fn record() -> Recorder {
    let recorder = Recorder::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(recorder.clone())
        .build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    tracing_subscriber::registry().with(layer).init();
    recorder
}

#[tokio::test]
async fn a_call_is_a_span_of_its_callers_trace() {
    let recorder = record();
    let harness = Harness::with_limits(Duration::from_millis(20), 64).await;
    let mut client = harness.client();
    let caller = info_span!("caller");
    let here = caller.in_scope(telemetry::current_traceparent).unwrap();
    let answer = client
        .list_dead_letters(ListDeadLettersRequest::default())
        .instrument(caller.clone())
        .await;
    let there = answer.unwrap().into_inner().dead_letters[0].reason.clone();
    assert_eq!(there[..36], here[..36], "the handler is in the trace of its caller");
    assert_ne!(there[36..], here[36..], "in a span of its own");

    let dropped = client
        .drop_dead_letter(DropDeadLetterRequest::default())
        .instrument(caller.clone())
        .await;
    let waited = client
        .get_dead_letter(GetDeadLetterRequest::default())
        .instrument(caller.clone())
        .await;
    assert!(dropped.is_err() && waited.is_err());
    let panicked = client
        .replay_dead_letter(ReplayDeadLetterRequest::default())
        .instrument(caller)
        .await;
    let panicked = panicked.unwrap_err();
    let trace = tonic_types::StatusExt::get_details_error_info(&panicked)
        .unwrap()
        .metadata["trace"]
        .clone();
    harness.stop().await;

    let mut spans = recorder.0.lock().unwrap().clone();
    spans.retain(|span| here.contains(&span.span_context.trace_id().to_string()));
    for (method, code, failed) in [
        ("ListDeadLetters", 0, false),
        ("DropDeadLetter", 9, false),
        ("GetDeadLetter", 4, true),
        ("ReplayDeadLetter", 13, true),
    ] {
        let name = format!("{SERVICE}/{method}");
        let span = spans
            .iter()
            .find(|span| span.name == name)
            .unwrap_or_else(|| panic!("no span {name}"));
        assert_eq!(span.span_kind, SpanKind::Server);
        assert_eq!(matches!(span.status, SpanStatus::Error { .. }), failed, "{method}");
        let attribute = |name: &str| {
            let found = span.attributes.iter().find(|attribute| attribute.key.as_str() == name);
            found.map(|attribute| attribute.value.to_string())
        };
        assert_eq!(attribute(telemetry::RPC_STATUS), Some(code.to_string()), "{method}");
        assert_eq!(attribute(telemetry::TENANT).as_deref(), Some("huadong"), "{method}");
        if method == "ReplayDeadLetter" {
            assert_eq!(
                span.span_context.trace_id().to_string(),
                trace,
                "a caller can name the trace"
            );
        }
    }
}
