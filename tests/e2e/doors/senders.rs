//! The client of a request that a proxy passes on: `from: connection` finds its pod.

use std::io::{Read, Write};
use std::net::TcpStream;

use podstamp_test_support::PATIENCE;
use podstamp_test_support::blocking::grpc::{Grpc, framed};
use podstamp_test_support::blocking::http::{Client, PROTOBUF};
use podstamp_test_support::ports::closed_port;
use podstamp_test_support::spans;

use crate::fake_agent::FakeAgent;
use crate::served::{Served, Setup};

const TRUSTED: &str = "  trusted_proxies: [127.0.0.1]\n";

fn serve(agent: &FakeAgent, own: &str) -> Served {
    let pods = spans::pods(&[("web-1", "10.1.1.1"), ("web-2", "10.1.1.2")]);
    Setup::load_balancer(&agent.url()).pods(pods).own(own).serve()
}

/// From a pod whose name nobody knows.
fn batch() -> Vec<u8> {
    spans::export(&[("shop", "nameless")])
}

/// The address that was stamped on all that came.
fn stamped(agent: &FakeAgent, requests: usize) -> String {
    let mut placed = agent.placed();
    agent.agent().forget_records();
    assert_eq!(placed.len(), requests);
    placed.dedup();
    let [(_, address)] = &placed[..] else { panic!("{placed:?}") };
    address.clone()
}

#[test]
fn the_proxy_protocol_of_a_trusted_proxy_names_the_sender_of_a_connection() {
    let agent = FakeAgent::start();
    let served = serve(&agent, &format!("{TRUSTED}  proxy_protocol: true\n"));
    for pod in ["10.1.1.1", "10.1.1.2"] {
        let header = format!("PROXY TCP4 {pod} 192.0.2.1 40000 4318\r\n");
        let mut http = Client::connect(served.address);
        http.write(header.as_bytes());
        assert_eq!(http.export(&batch()).status, 200);
        assert_eq!(http.export(&batch()).status, 200, "said once, it holds for the connection");
        let grpc = Grpc::begin(header.as_bytes(), served.grpc);
        assert_eq!(grpc.export(&batch()).code(), 0);
        assert_eq!(stamped(&agent, 3), pod);
    }
}

#[test]
fn version_2_of_the_proxy_protocol_names_the_sender_as_well() {
    let agent = FakeAgent::start();
    let served = serve(&agent, &format!("{TRUSTED}  proxy_protocol: [http]\n"));
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    header.extend([10, 1, 1, 2, 192, 0, 2, 1, 0x9c, 0x40, 0x10, 0xde]);
    let mut http = Client::connect(served.address);
    http.write(&header);
    assert_eq!(http.export(&batch()).status, 200);
    assert_eq!(stamped(&agent, 1), "10.1.1.2");
    // Not asked for where gRPC is taken.
    assert_eq!(Grpc::connect(served.grpc).export(&batch()).code(), 0);
    assert_eq!(stamped(&agent, 1), "0.0.0.0");
}

#[test]
fn on_one_port_for_both_protocols_the_proxy_protocol_is_for_both() {
    let agent = FakeAgent::start();
    let own = format!("{TRUSTED}  proxy_protocol: [grpc]\n");
    let setup = Setup::load_balancer(&agent.url()).pods(spans::pods(&[("web-1", "10.1.1.1")])).own(&own);
    let served = Setup { port: Some(closed_port().port()), ..setup }.serve();
    let header = b"PROXY TCP4 10.1.1.1 192.0.2.1 40000 4317\r\n";
    assert_eq!(Grpc::begin(header, served.grpc).export(&batch()).code(), 0);
    let mut http = Client::connect(served.address);
    http.write(header);
    assert_eq!(http.export(&batch()).status, 200);
    assert_eq!(stamped(&agent, 2), "10.1.1.1");
}

#[test]
fn a_trusted_proxy_without_its_header_is_closed_on_and_the_log_says_what_to_turn() {
    let agent = FakeAgent::start();
    let served = serve(&agent, &format!("{TRUSTED}  proxy_protocol: true\n"));
    let mut client = TcpStream::connect(served.address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.write_all(b"POST /v1/traces HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    // Closed or reset.
    drop(client.read_to_end(&mut answer));
    assert_eq!(answer, b"");
    assert!(served.wait_for_log("podstamp.proxy_protocol").contains("127.0.0.1"));
    assert_eq!(agent.records(), []);
}

#[test]
fn forwarded_headers_of_a_trusted_proxy_name_the_sender_of_a_request() {
    let agent = FakeAgent::start();
    let served = serve(&agent, TRUSTED);
    let mut http = Client::connect(served.address);
    let grpc = Grpc::connect(served.grpc);
    for (header, pod) in [
        (("forwarded", "for=10.1.1.1;proto=https"), "10.1.1.1"),
        (("forwarded", "for=198.51.100.7, For=\"10.1.1.2:47011\""), "10.1.1.2"),
        (("x-forwarded-for", "10.1.1.2"), "10.1.1.2"),
        (("x-forwarded-for", "10.1.1.2, 10.1.1.1"), "10.1.1.1"),
    ] {
        assert_eq!(http.send("POST", "/v1/traces", &[PROTOBUF, header], &batch()).status, 200);
        assert_eq!(grpc.call(&[header], framed(&batch())).code(), 0);
        assert_eq!(stamped(&agent, 2), pod, "{header:?}");
    }
}

#[test]
fn nobody_is_trusted_unasked() {
    let agent = FakeAgent::start();
    let served = serve(&agent, "");
    let mut http = Client::connect(served.address);
    for header in [("forwarded", "for=10.1.1.1"), ("x-forwarded-for", "10.1.1.1")] {
        assert_eq!(http.send("POST", "/v1/traces", &[PROTOBUF, header], &batch()).status, 200);
        assert_eq!(stamped(&agent, 1), "0.0.0.0");
    }
}
