//! Access to the receiver, as the configuration has it and clients find it.

mod auth;
mod copies;
mod senders;
mod tls;

use podstamp_test_support::blocking::grpc::Grpc;
use podstamp_test_support::blocking::http::{Client, PROTOBUF, export};
use podstamp_test_support::ports::closed_port;
use podstamp_test_support::spans;

use crate::fake_agent::FakeAgent;
use crate::served::Setup;

#[test]
fn one_port_takes_both_protocols() {
    let agent = FakeAgent::start();
    let port = closed_port().port();
    let setup = Setup { port: Some(port), ..Setup::load_balancer(&agent.url()) };
    let served = setup.serve();
    assert_eq!(served.address, served.grpc);
    assert_eq!(served.address.port(), port);
    let batch = spans::export(&[("shop", "web-1")]);
    let grpc = Grpc::connect(served.grpc);
    assert_eq!(grpc.export(&batch).code(), 0);
    assert_eq!(export(served.address, &batch).status, 200);
    assert_eq!(grpc.export(&batch).code(), 0);
    assert_eq!(agent.agent().totals().spans, 3);
}

#[test]
fn each_port_takes_both_protocols() {
    let agent = FakeAgent::start();
    let served = Setup::load_balancer(&agent.url()).serve();
    let batch = spans::export(&[("shop", "web-1")]);
    assert_ne!(served.address, served.grpc);
    assert_eq!(export(served.grpc, &batch).status, 200);
    assert_eq!(Grpc::connect(served.address).export(&batch).code(), 0);
    assert_eq!(agent.agent().totals().spans, 2);
}

#[test]
fn with_strict_ports_a_port_takes_the_protocol_that_it_is_for() {
    let agent = FakeAgent::start();
    let served = Setup::load_balancer(&agent.url()).own("  strict_ports: true\n").serve();
    let batch = spans::export(&[("shop", "web-1")]);
    let astray = export(served.grpc, &batch);
    assert_eq!(astray.status, 404);
    assert!(astray.message().contains("receivers.otlp.protocols.http"), "{}", astray.message());
    let astray = Grpc::connect(served.address).export(&batch);
    assert_eq!(astray.code(), 12, "UNIMPLEMENTED");
    assert!(astray.header("grpc-message").unwrap().contains("receivers.otlp.protocols.grpc"));
    assert_eq!(agent.records(), []);
}

#[test]
fn pages_of_allowed_origins_may_send_and_browsers_ask_without_credentials() {
    let agent = FakeAgent::start();
    let mut setup = Setup::load_balancer(&agent.url());
    setup.config = setup.config.replace("service:\n", "service:\n  extensions: [bearertokenauth]\n");
    setup.config.push_str("extensions:\n  bearertokenauth:\n    token: of-the-page\n");
    setup.http = "        auth:\n          authenticator: bearertokenauth\n        cors:\n          allowed_origins: [\"https://*.shop.example\"]\n          allowed_headers: [x-tenant, authorization, content-type]\n          max_age: 600".to_owned();
    let served = setup.serve();
    let mut client = Client::connect(served.address);
    let mut ask = |origin, headers| {
        let asked = [
            ("origin", origin),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", headers),
        ];
        let answer = client.send("OPTIONS", "/v1/traces", &asked, b"");
        assert_eq!(answer.status, 204, "{}", answer.message());
        let header = |name: &str| answer.header(name).map(str::to_owned);
        (header("access-control-allow-origin"), header("access-control-max-age"))
    };
    let page = "https://www.shop.example";
    let granted = (Some(page.to_owned()), Some("600".to_owned()));
    assert_eq!(ask(page, "authorization,content-type,x-tenant"), granted);
    assert_eq!(ask(page, "x-other").0, None);
    assert_eq!(ask("https://shop.example.attacker.example", "x-tenant").0, None);

    let batch = spans::export(&[("shop", "web-1")]);
    for (token, status) in [("Bearer of-the-page", 200), ("Bearer of-another", 401)] {
        let headers = [PROTOBUF, ("origin", page), ("authorization", token)];
        let answer = client.send("POST", "/v1/traces", &headers, &batch);
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("access-control-allow-origin"), Some(page), "a script may see why");
    }
    assert_eq!(agent.agent().totals().spans, 1);
}
