//! Keeps a fact in the trace it was told in.

use reflex_runtime::telemetry;
use tracing::Span;

/// Makes `span`, not entered yet, part of the trace that `traceparent` names, and puts the span's own context in its
/// place, so that what comes next hangs below the span. Without export the place keeps what it had.
pub(crate) fn pass_through(span: &Span, traceparent: &mut String) {
    telemetry::set_parent(span, traceparent);
    if let Some(own) = span.in_scope(telemetry::current_traceparent) {
        *traceparent = own;
    }
}
