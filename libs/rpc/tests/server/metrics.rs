//! What the stack measures.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use opentelemetry::global;
use opentelemetry_sdk::{
    error::OTelSdkResult,
    metrics::{
        SdkMeterProvider, Temporality,
        data::{AggregatedMetrics, MetricData, ResourceMetrics, ScopeMetrics},
        exporter::PushMetricExporter,
    },
};
use reflex_proto::platform::v1::{DropDeadLetterRequest, ListDeadLettersRequest};

use crate::harness::Harness;

/// Notes how many calls ended in which way.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<(String, u64)>>>);

impl PushMetricExporter for Recorder {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let metrics = metrics.scope_metrics().flat_map(ScopeMetrics::metrics);
        for metric in metrics.filter(|metric| metric.name() == "rpc.server.duration") {
            let AggregatedMetrics::F64(MetricData::Histogram(durations)) = metric.data() else {
                continue;
            };
            for point in durations.data_points() {
                let mut labels: Vec<_> = point
                    .attributes()
                    .map(|label| format!("{}={}", label.key, label.value))
                    .collect();
                labels.sort_unstable();
                self.0.lock().unwrap().push((labels.join(" "), point.count()));
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

#[tokio::test]
async fn calls_are_counted_by_method_and_status() {
    let recorder = Recorder::default();
    let provider = SdkMeterProvider::builder()
        .with_periodic_exporter(recorder.clone())
        .build();
    global::set_meter_provider(provider.clone());

    let harness = Harness::start().await;
    let mut client = harness.client();
    for _call in 0..3 {
        assert!(
            client
                .list_dead_letters(ListDeadLettersRequest::default())
                .await
                .is_ok()
        );
    }
    assert!(client.drop_dead_letter(DropDeadLetterRequest::default()).await.is_err());
    harness.stop().await;
    provider.force_flush().unwrap();

    let counted = recorder.0.lock().unwrap().clone();
    for (method, status, least) in [("ListDeadLetters", 0, 3), ("DropDeadLetter", 9, 1)] {
        let labels = format!(
            "rpc.grpc.status_code={status} rpc.method={method} rpc.service=reflex.platform.v1.DeadLetterService"
        );
        let count = counted
            .iter()
            .find(|(found, _)| *found == labels)
            .map(|(_, count)| *count);
        // The tests beside this one may count into the same metric.
        assert!(count.is_some_and(|count| count >= least), "{labels}: {counted:?}");
    }
}
