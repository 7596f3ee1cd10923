//! Whatever is refused leaves a line for the operator, and is counted by its reason.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use podstamp_test_support::PATIENCE;
use podstamp_test_support::blocking::grpc::Grpc;
use podstamp_test_support::blocking::http::{Client, PROTOBUF, export};
use podstamp_test_support::spans;
use prost::Message;

use crate::fake_agent::FakeAgent;
use crate::served::{Served, Setup, wait_until};

fn refused(served: &Served, reason: &str) -> f64 {
    served.metric("podstamp_refused_requests_total", &[&format!("reason=\"{reason}\"")])
}

#[test]
fn each_refusal_names_the_client_the_address_the_path_and_what_to_do() {
    let agent = FakeAgent::start();
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
    let agent = FakeAgent::start();
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

    // A request that says that it is empty is a success like any other.
    assert_eq!(export(served.address, &[]).warning(), "");
    assert_eq!(Grpc::connect(served.grpc).export(&[]).message().encoded_len(), 0);
    assert_eq!(refused(&served, "unrecognised"), 3.0);
    assert_eq!(agent.records(), []);
}

/// Says that, and waits until podstamp has hung up.
fn say(to: SocketAddr, bytes: &[u8]) {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(bytes).unwrap();
    // An answer, the end, or a reset: whatever it is, it comes.
    drop(stream.read_to_end(&mut Vec::new()));
}

fn closed(served: &Served, reason: &str) -> f64 {
    served.metric("podstamp_refused_connections_total", &[&format!("reason=\"{reason}\"")])
}

#[test]
fn what_is_no_http_is_recognised_and_named() {
    let agent = FakeAgent::start();
    let own = "  limits:\n    header_timeout: 1s\n";
    let served = Setup::load_balancer(&agent.url()).own(own).serve();
    let long = [b"POST /v1/traces HTTP/1.1\r\nx: ".as_slice(), &[b'x'; 70_000], b"\r\n\r\n"].concat();
    for (bytes, key, reason, advice) in [
        (
            &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
            "tls-unexpected",
            "tls",
            "OTEL_EXPORTER_OTLP_INSECURE",
        ),
        (
            b"PROXY TCP4 10.1.2.3 10.0.0.1 4711 4317\r\n",
            "proxy-protocol-unexpected",
            "proxy_header",
            "trusted_proxies",
        ),
        (b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", "proxy-protocol-unexpected", "proxy_header", ""),
        (b"\x80\x01\x00\x04\x00\x00\x00\x09emitBatch", "thrift", "thrift", "OTLP"),
        (b"SSH-2.0-OpenSSH\r\n", "not-http", "other", "SSH-2.0-"),
        // Not even a line: the client waits for an answer.
        (b"hello", "not-http", "other", ""),
        (
            b"POST /v1/traces HTTP/1.1\r\nno header\r\n\r\n",
            "malformed-http",
            "malformed",
            "correct the client",
        ),
        (b"POST /v1/tra", "slow-head", "slow_head", "podstamp.limits.header_timeout"),
        (&long, "head-too-large", "large_head", "64 KiB"),
    ] {
        let before = closed(&served, reason);
        say(served.address, bytes);
        if !advice.is_empty() {
            let line = served.wait_for_log(&format!("\"{key}\""));
            for part in ["a connection from 127.0.0.1 to ", advice] {
                assert!(line.contains(part), "{part:?} in {line}");
            }
        }
        wait_until("it is counted", || closed(&served, reason) - before == 1.0);
    }
    assert_eq!(export(served.address, &spans::export(&[("shop", "web-1")])).status, 200);
    drop(TcpStream::connect(served.address).unwrap());
    let counted = served.metric("podstamp_refused_connections_total", &[]);
    assert_eq!(counted, 9.0, "who only looks whether the port is open is nobody's fault");
}

#[test]
fn pages_that_may_not_send_are_told_of() {
    let agent = FakeAgent::start();
    let mut setup = Setup::load_balancer(&agent.url());
    let asks = [("origin", "https://www.shop.example"), ("access-control-request-method", "POST")];
    let ask =
        |served: &Served| Client::connect(served.address).send("OPTIONS", "/v1/traces", &asks, b"").status;
    let without = Setup::load_balancer(&agent.url()).serve();
    assert_eq!(ask(&without), 405);
    assert!(without.wait_for_log("cors-refused").contains("allowed_origins"));
    assert_eq!(refused(&without, "cors"), 1.0);

    setup.http = "        cors:\n          allowed_origins: [\"https://*.other.example\"]".to_owned();
    let other = setup.serve();
    assert_eq!(ask(&other), 204);
    assert!(other.wait_for_log("cors-refused").contains("from 127.0.0.1 to "));
    assert_eq!(refused(&other, "cors"), 1.0);
}
