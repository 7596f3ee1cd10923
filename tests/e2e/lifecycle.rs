//! How the process begins and ends, and what it answers when it is out of everything.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use podstamp_fake_agent::Latch;
use podstamp_test_support::blocking::http::{Client, PROTOBUF, get};
use podstamp_test_support::spans;

use crate::fake_agent::FakeAgent;
use crate::served::{Setup, podstamp, wait};

#[test]
fn a_second_signal_ends_it_whatever_is_in_flight() {
    let latch = Latch::default();
    let agent = FakeAgent::behind(&latch);
    // The server would wait for longer than this test does.
    let mut served = Setup::load_balancer(&agent.url()).own("  limits:\n    drain_timeout: 10m\n").serve();
    let mut client = Client::connect(served.address);
    client.begin_chunked("/v1/traces", &[PROTOBUF]);
    client.write_chunk(&spans::export(&[("shop", "web-1")]));
    client.write(b"0\r\n\r\n");
    served.wait_for_request_in_flight();
    served.terminate();
    served.wait_for_log("finishing what is in flight");
    served.terminate();
    served.wait_for_log("ending at once");
    assert_eq!(served.wait().code(), Some(0));
    latch.open();
}

/// The notice comes before the guest is compiled, which takes its time.
#[test]
fn a_signal_ahead_of_serving_is_heard() {
    let folder = tempfile::TempDir::new().unwrap();
    let config = folder.path().join("config.yaml");
    let pipeline = "exporters: {otlphttp: {traces_endpoint: 'http://127.0.0.1:9/api/v1/otel/trace'}}\n\
                    service: {pipelines: {traces: {exporters: [otlphttp]}}}\n\
                    receivers: {otlp: {protocols: {http: {endpoint: '127.0.0.1:0'}}}}\n\
                    podstamp: {proxy_wasm: {mode: inline}}\n";
    std::fs::write(&config, pipeline).unwrap();
    let mut child = podstamp(["serve", "--config"]).arg(&config).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(log.any(|line| line.contains("podstamp.proxy_wasm: has no effect here")));
    let sent = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let rest: Vec<_> = log.collect();
    assert_eq!(wait(&mut child).code(), Some(0), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("SIGTERM: ")), "{rest:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn health_is_answered_when_all_descriptors_are_in_use() {
    let agent = FakeAgent::start();
    let mut setup =
        Setup::load_balancer(&agent.url()).own("  limits:\n    connections: 10000\n    per_peer: 1\n");
    setup.descriptors = Some(DESCRIPTORS);
    let served = setup.serve();
    let mut clients = Vec::new();
    for _ in 0..2 * DESCRIPTORS {
        let mut client = TcpStream::connect(served.address).unwrap();
        // A connection that has begun to speak is not idle.
        client.write_all(b"POST /v1/traces HTTP/1.1\r\n").unwrap();
        clients.push(client);
    }
    served.wait_for_log("cannot accept connections: Too many open files");
    assert_eq!(get(served.admin, "/healthz"), (200, "alive\n".to_owned()));
}

const DESCRIPTORS: u32 = 64;
