//! What is measured about a call.

use std::time::Instant;

use opentelemetry::{KeyValue, metrics::Histogram};
use reflex_runtime::telemetry::{self, RPC_METHOD, RPC_SERVICE, RPC_STATUS};
use tonic::Code;
use tracing::Span;

use super::methods::Method;

/// How long calls take, by method and status.
pub(super) type Durations = Histogram<f64>;

/// Returns the metric of durations.
pub(super) fn durations() -> Durations {
    telemetry::meter()
        .f64_histogram("rpc.server.duration")
        .with_unit("ms")
        .with_description("Time from the head of a request to the end of its answer")
        .build()
}

/// A call under observation: measured when dropped, so that calls given up by their callers count too.
pub(super) struct Observed {
    durations: Durations,
    method: Method,
    span: Span,
    started: Instant,
    /// How it ended; unset when the caller went away.
    code: Code,
}

impl Observed {
    /// Starts observing.
    pub(super) fn new(durations: Durations, method: Method, span: Span) -> Self {
        Self {
            durations,
            method,
            span,
            started: Instant::now(),
            code: Code::Cancelled,
        }
    }

    /// Ends observing.
    pub(super) fn end(mut self, code: Code) {
        self.code = code;
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        let code = i64::from(i32::from(self.code));
        self.span.record(RPC_STATUS, code);
        if is_our_fault(self.code) {
            self.span.record("otel.status_code", "ERROR");
        }
        let attributes = [
            KeyValue::new(RPC_SERVICE, self.method.service),
            KeyValue::new(RPC_METHOD, self.method.name),
            KeyValue::new(RPC_STATUS, code),
        ];
        self.durations
            .record(self.started.elapsed().as_secs_f64() * 1_000.0, &attributes);
    }
}

/// Returns whether a status means a failing server, by the conventions of OpenTelemetry.
fn is_our_fault(code: Code) -> bool {
    use Code::{DataLoss, DeadlineExceeded, Internal, Unavailable, Unimplemented, Unknown};
    matches!(
        code,
        Unknown | DeadlineExceeded | Unimplemented | Internal | Unavailable | DataLoss
    )
}
