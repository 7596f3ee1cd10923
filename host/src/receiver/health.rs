//! gRPC's health service (grpc.health.v1), for Kubernetes' probes and for load balancers.

use http::{Request, Response};
use hyper::body::Incoming;
use podstamp_core::config::GRPC_SERVICE;
use tonic::codegen::Service as _;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};

/// The state of the server as a whole, and of its one service.
pub(super) struct Health {
    reporter: HealthReporter,
    server: HealthServer<HealthService>,
}

impl Default for Health {
    fn default() -> Self {
        let reporter = HealthReporter::new();
        let server = HealthServer::new(HealthService::from_health_reporter(reporter.clone()));
        Self { reporter, server }
    }
}

impl Health {
    pub(super) async fn set(&self, ready: bool) {
        let status = if ready { ServingStatus::Serving } else { ServingStatus::NotServing };
        self.reporter.set_service_status("", status).await;
        self.reporter.set_service_status(GRPC_SERVICE, status).await;
    }

    /// Answers one of the service's methods.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Response<tonic::body::Body> {
        match self.server.clone().call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

/// The path of the service, without a method's name.
pub(super) const PATH: &str = "/grpc.health.v1.Health/";
