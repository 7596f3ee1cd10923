//! Runs the example as its README has it: spans of a pod that only the program knows arrive under that pod's address.

#![expect(clippy::unwrap_used, reason = "tests say what went wrong by failing")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use podstamp_fake_agent::Agent;
use prost::Message as _;

/// The program, which is stopped when the test ends.
struct Embedding(Child);

impl Drop for Embedding {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn request(host_name: &str) -> Vec<u8> {
    let value = AnyValue { value: Some(Value::StringValue(host_name.to_owned())) };
    let attribute = KeyValue { key: "host.name".to_owned(), value: Some(value), ..KeyValue::default() };
    let resource = Resource { attributes: vec![attribute], ..Resource::default() };
    let span =
        Span { trace_id: vec![1; 16], span_id: vec![2; 8], name: "GET /".to_owned(), ..Span::default() };
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
    let spans = ResourceSpans { resource: Some(resource), scope_spans, ..ResourceSpans::default() };
    ExportTraceServiceRequest { resource_spans: vec![spans] }.encode_to_vec()
}

fn post(address: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/x-protobuf\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn spans_of_a_pod_in_the_inventory_arrive_under_its_address() {
    let agent = Agent::builder().listen(([127, 0, 0, 1], 0).into()).start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.yaml");
    let document = include_str!("../config.yaml")
        .replace("127.0.0.1:4318", "127.0.0.1:0")
        .replace("http://127.0.0.1:38086/api/v1/otel/trace", &agent.url());
    std::fs::write(&config, document).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_podstamp-embed"))
        .arg(&config)
        .args(["shop/cart-0=10.1.2.3", "shop/pay-0=10.1.2.4"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let _embedding = Embedding(child);
    let line = lines.next().expect("the program ended").unwrap();
    let address = line.strip_prefix("listening at ").unwrap().to_owned();

    for host_name in ["pay-0", "somewhere-else"] {
        let (address, body) = (address.clone(), request(host_name));
        let answer = tokio::task::spawn_blocking(move || post(&address, &body)).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    agent.wait_for_spans(2).await;
    let stamped: Vec<_> = agent
        .records()
        .iter()
        .flat_map(|record| &record.resources)
        .map(|resource| {
            resource.attribute("app.host.ip").and_then(|value| value.as_str()).unwrap().to_owned()
        })
        .collect();
    assert_eq!(stamped, ["10.1.2.4", "0.0.0.0"]);
    agent.shutdown().await;
}
