//! Whether a service wants to be called, as its health endpoint says.

use tonic_health::{
    ServingStatus,
    pb::health_server::{Health, HealthServer},
    server::{HealthReporter, HealthService},
};

/// Name under which a probe learns that the process lives, whatever its readiness.
pub const LIVENESS: &str = "liveness";

/// Switches the readiness of a process; clones switch the same.
///
/// The empty name and [`LIVENESS`] say that the process lives, the full name of each service says that it is ready.
#[derive(Clone)]
pub struct Readiness {
    reporter: HealthReporter,
    services: Vec<&'static str>,
}

impl Readiness {
    /// Returns the readiness of `services` (full names): alive, not ready yet.
    pub async fn new(services: &[&'static str]) -> Self {
        let readiness = Self {
            reporter: HealthReporter::new(),
            services: services.to_vec(),
        };
        readiness
            .reporter
            .set_service_status(LIVENESS, ServingStatus::Serving)
            .await;
        readiness.off().await;
        readiness
    }

    /// Says that the services are ready.
    pub async fn on(&self) {
        self.set(ServingStatus::Serving).await;
    }

    /// Says that the services are not ready, or no longer.
    pub async fn off(&self) {
        self.set(ServingStatus::NotServing).await;
    }

    /// Returns the full names of the services.
    #[must_use]
    pub fn services(&self) -> &[&'static str] {
        &self.services
    }

    /// Returns the health endpoint.
    pub(crate) fn endpoint(&self) -> HealthServer<impl Health + use<>> {
        HealthServer::new(HealthService::from_health_reporter(self.reporter.clone()))
    }

    async fn set(&self, status: ServingStatus) {
        for service in &self.services {
            self.reporter.set_service_status(service, status).await;
        }
    }
}
