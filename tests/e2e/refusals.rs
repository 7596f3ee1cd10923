//! Whatever is refused leaves a line for the operator, and is counted by its reason.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;

use crate::grpc::Grpc;
use crate::http::{Client, PROTOBUF, export};
use crate::served::{Served, Setup, StandIn};
use crate::spans;

fn refused(served: &Served, reason: &str) -> f64 {
    served.metric("podstamp_refused_requests_total", &[&format!("reason=\"{reason}\"")])
}

#[test]
fn each_refusal_names_the_client_the_address_the_path_and_what_to_do() {
    let agent = StandIn::start();
    let served = Setup::load_balancer(&agent.url()).serve();
    let batch = spans::export(&[("shop", "web-1")]);
    for (path, headers, status, key, reason, advice) in [
        ("/v1/metrics", &[PROTOBUF][..], 404, "metrics-not-carried", "signal", "OTEL_METRICS_EXPORTER=none"),
        ("/v1/logs", &[PROTOBUF], 404, "logs-not-carried", "signal", "OTEL_LOGS_EXPORTER=none"),
        ("/v1/trace", &[PROTOBUF], 404, "no-such-path", "path", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"),
        ("/v1/traces", &[("content-type", "text/plain")], 415, "content-type", "content_type", "protobuf"),
        (
            "/v1/traces",
            &[PROTOBUF, ("content-encoding", "br")],
            415,
            "unknown-coding",
            "coding",
            "COMPRESSION",
        ),
    ] {
        let before = refused(&served, reason);
        let answer = Client::connect(served.address).send("POST", path, headers, &batch);
        assert_eq!(answer.status, status, "{path}: {}", answer.message());
        let line = served.wait_for_log(&format!("\"{key}\""));
        for part in ["OTLP/HTTP from 127.0.0.1 to ", path, advice] {
            assert!(line.contains(part), "{part:?} in {line}");
        }
        assert_eq!(refused(&served, reason) - before, 1.0, "{path}");
    }
    assert_eq!(agent.records(), []);
}

#[test]
fn what_has_no_resource_spans_is_no_silent_success() {
    let agent = StandIn::start();
    let served = Setup::load_balancer(&agent.url()).serve();
    let json = [("content-type", "application/json")];
    let wrong = br#"{"resource_span": [{"scopeSpans": [{"spans": [{}]}]}]}"#;
    let answer = Client::connect(served.address).send("POST", "/v1/traces", &json, wrong);
    assert_eq!(answer.status, 200);
    assert!(answer.warning().contains("lowerCamelCase"), "{}", answer.warning());
    let line = served.wait_for_log("unrecognised-batch");
    assert!(line.contains("OTLP/HTTP from 127.0.0.1 to "), "{line}");

    let unknown = [0x12, 0x02, 0x0a, 0x00];
    assert!(export(served.address, &unknown).warning().contains("ExportTraceServiceRequest"));
    let message: ExportTraceServiceResponse = Grpc::connect(served.grpc).export(&unknown).message();
    let partial = message.partial_success.unwrap();
    assert_eq!((partial.rejected_spans, partial.error_message.is_empty()), (0, false));
    assert_eq!(refused(&served, "unrecognised"), 3.0);

    // What says that it is empty is a success like any other.
    assert_eq!(export(served.address, &[]).warning(), "");
    assert_eq!(Grpc::connect(served.grpc).export(&[]).message().encoded_len(), 0);
    assert_eq!(refused(&served, "unrecognised"), 3.0);
    assert_eq!(agent.records(), []);
}
