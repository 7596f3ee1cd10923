//! Configurations: with faults, and of the peer.

use podstamp_test_support::blocking::http::{Client, PROTOBUF};
use podstamp_test_support::blocking::status::Status;
use podstamp_test_support::spans;
use serde_json::json;

use super::{Host, process, towards};
use crate::encoding::Encoding;
use crate::fake_agent::FakeAgent;

#[test]
fn faults_of_the_configuration_are_the_answer_to_every_request() {
    for host in Host::BOTH {
        let mut document = towards(([127, 0, 0, 1], 9).into());
        document["exporters"]["otlphttp"]["timeuot"] = json!("1s");
        document["podstamp"]["limits"] = json!({"body": "many"});
        let document = document.to_string();
        for (document, paths) in [
            (document.as_str(), ["exporters.otlphttp.timeuot", "podstamp.limits.body"]),
            ("{", ["PODSTAMP_CONFIG", "not JSON"]),
        ] {
            let Some(server) = host.serve_with(&[("PODSTAMP_CONFIG", document)]) else { continue };
            for encoding in Encoding::BOTH {
                let answer = encoding.send(&mut Client::connect(server.address), &encoding.batch());
                assert_eq!((answer.status, answer.header("retry-after")), (503, Some("30")), "{host:?}");
                let message = Status::of(&answer).message;
                assert!(paths.iter().all(|path| message.contains(path)), "{message}");
            }
            server.wait_for_notice("config");
        }
    }
}

#[test]
fn a_client_cannot_forge_the_peer() {
    for host in Host::BOTH {
        let agent = FakeAgent::start();
        let document = towards(agent.agent().address()).to_string();
        let address_of = |named: Option<&str>, headers: &[(&str, &str)]| {
            let mut variables = vec![("PODSTAMP_CONFIG", document.as_str())];
            variables.extend(named.map(|name| ("PODSTAMP_PEER_HEADER", name)));
            let server = host.serve_with(&variables)?;
            agent.agent().forget_records();
            let headers = [&[PROTOBUF], headers].concat();
            let batch = spans::export(&[("shop", "web-1")]);
            assert_eq!(
                Client::connect(server.address).send("POST", "/v1/traces", &headers, &batch).status,
                200
            );
            agent.placed().pop().map(|(_, address)| address)
        };
        let (by_host, by_client) =
            (("spin-client-addr", "10.1.1.1:4711"), ("spin-client-addr", "10.6.6.6:1"));
        let Some(nobody) = address_of(None, &[by_client]) else { continue };
        assert_eq!(nobody, "0.0.0.0", "nothing says that the host writes it");
        let named = Some("spin-client-addr");
        assert_eq!(address_of(named, &[by_host]).unwrap(), "10.1.1.1");
        assert_eq!(
            address_of(named, &[by_client, by_host]).unwrap(),
            "0.0.0.0",
            "one of them is the client's"
        );
        assert_eq!(address_of(named, &[("x-forwarded-for", "10.6.6.6")]).unwrap(), "0.0.0.0");
    }
}

#[test]
fn wasmtime_names_the_pod_of_a_sidecar_in_place_of_what_clients_say() {
    let agent = FakeAgent::start();
    let document = towards(agent.agent().address()).to_string();
    let variables = [("PODSTAMP_CONFIG", document.as_str()), ("PODSTAMP_PEER_HEADER", "podstamp-peer")];
    let Some(server) = process::wasmtime(&variables, &["-H", "podstamp-peer: 10.1.1.1"]) else { return };
    for forged in [
        &[][..],
        &[("podstamp-peer", "10.6.6.6")],
        &[("Podstamp-Peer", "10.6.6.6"), ("podstamp-peer", "10.6.6.7")],
    ] {
        let headers = [&[PROTOBUF], forged].concat();
        let batch = spans::export(&[("shop", "web-1")]);
        assert_eq!(Client::connect(server.address).send("POST", "/v1/traces", &headers, &batch).status, 200);
        assert_eq!(agent.placed().pop().unwrap().1, "10.1.1.1", "{forged:?}");
        agent.agent().forget_records();
    }
}
