//! `grpc.health.v1`.

use std::time::Duration;

use podstamp_test_support::client::{Http2, framed};
use prost::Message as _;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use super::accepting;
use crate::support::Setup;

async fn health(client: &Http2, service: &str) -> (String, Option<ServingStatus>) {
    let request = HealthCheckRequest { service: service.to_owned() };
    let grpc = [("content-type", "application/grpc")];
    let answered = client.post("/grpc.health.v1.Health/Check", framed(&request.encode_to_vec()), &grpc).await;
    let message = answered.body.get(5..).unwrap_or_default();
    let status = HealthCheckResponse::decode(message).unwrap().status();
    (answered.code().to_owned(), (answered.code() == "0").then_some(status))
}

#[tokio::test]
async fn the_health_service_says_what_readiness_says() {
    let setup = Setup::new(accepting()).await;
    let client = setup.grpc().await;
    let service = "opentelemetry.proto.collector.trace.v1.TraceService";
    let until = |expected| {
        let client = client.clone();
        async move {
            while health(&client, service).await != ("0".to_owned(), Some(expected)) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    };
    until(ServingStatus::NotServing).await;
    setup.instruments.readiness.pods_loaded();
    until(ServingStatus::Serving).await;
    assert_eq!(health(&client, "").await.1, Some(ServingStatus::Serving));
    assert_eq!(health(&client, "unheard.of").await.0, "5");
    setup.instruments.readiness.draining();
    until(ServingStatus::NotServing).await;
}
