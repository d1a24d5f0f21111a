//! Whether the process lives, and whether everything behind it does.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    extract::State,
    response::{IntoResponse as _, Response},
    routing::get,
};
use futures_util::future::join_all;
use http::StatusCode;
use serde::Serialize;
use tonic::Code;
use tonic_health::{
    ServingStatus,
    pb::{HealthCheckRequest, health_check_response, health_client::HealthClient},
};

use crate::backends::{Backend, Backends};

/// Within which a service must say that it is ready.
const PATIENCE: Duration = Duration::from_secs(1);

/// Whether the gateway wants requests; clones switch the same.
#[derive(Debug, Clone, Default)]
pub struct Readiness {
    stopping: Arc<AtomicBool>,
}

impl Readiness {
    /// Says for good that no more requests are wanted; those that come are still answered.
    pub fn off(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }
}

#[derive(Clone)]
struct Health {
    readiness: Readiness,
    backends: Arc<Backends>,
}

#[derive(Serialize)]
struct Report {
    ready: bool,
    /// "serving", "not serving" or "not reachable" by service.
    backends: BTreeMap<String, &'static str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stopping: bool,
}

/// Returns the routes of probes. They pass no limits: an overloaded gateway is alive.
pub(crate) fn routes(readiness: Readiness, backends: Arc<Backends>) -> Router {
    Router::new()
        .route("/livez", get(async || "alive\n"))
        .route("/readyz", get(ready))
        .with_state(Health { readiness, backends })
}

async fn ready(State(health): State<Health>) -> Response {
    let answers = health
        .backends
        .iter()
        .map(async |backend| (backend.name.clone(), state_of(backend).await));
    let backends: BTreeMap<_, _> = join_all(answers).await.into_iter().collect();
    let stopping = health.readiness.stopping.load(Ordering::SeqCst);
    let ready = !stopping && backends.values().all(|&state| state == SERVING);
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (
        status,
        Json(Report {
            ready,
            backends,
            stopping,
        }),
    )
        .into_response()
}

const SERVING: &str = "serving";

async fn state_of(backend: &Backend) -> &'static str {
    let answer = tokio::time::timeout(PATIENCE, ask(backend)).await;
    match answer {
        Ok(Some(ServingStatus::Serving)) => SERVING,
        Ok(Some(_)) => "not serving",
        Ok(None) | Err(_) => "not reachable",
    }
}

/// Asks for the first gRPC service of the backend that it serves: all its services are ready at once.
async fn ask(backend: &Backend) -> Option<ServingStatus> {
    let package = backend.package();
    let mut client = HealthClient::new(backend.channel.clone());
    let services = reflex_proto::descriptor_pool().services();
    for service in services.filter(|service| service.package_name() == package) {
        let service = service.full_name().to_owned();
        match client.check(HealthCheckRequest { service }).await {
            Ok(answer) => {
                let serving = answer.into_inner().status() == health_check_response::ServingStatus::Serving;
                return Some(if serving {
                    ServingStatus::Serving
                } else {
                    ServingStatus::NotServing
                });
            }
            Err(status) if status.code() == Code::NotFound => {}
            Err(_) => return None,
        }
    }
    None
}
