//! Pods from another podstamp.

use podstamp_test_support::blocking::http::export;
use podstamp_test_support::blocking::raw::Raw;
use podstamp_test_support::ports::closed_port;
use podstamp_test_support::spans;
use serde_json::json;

use super::{Host, Server, process, towards};
use crate::fake_agent::FakeAgent;
use crate::served::{self, Served, wait_until};

fn knowing(pods: &[(&str, &str)]) -> Served {
    served::Setup::load_balancer("http://127.0.0.1:9/api/v1/otel/trace").pods(spans::pods(pods)).serve()
}

/// The address that a batch of this pod is stamped with.
fn address_of(pod: &str, server: &Server, agent: &FakeAgent) -> String {
    agent.agent().forget_records();
    assert_eq!(export(server.address, &spans::export(&[("shop", pod)])).status, 200, "{}", server.log());
    agent.placed().pop().unwrap().1
}

#[test]
fn resources_get_the_address_of_the_pod_that_they_name_and_changes_are_followed() {
    for host in Host::BOTH {
        let agent = FakeAgent::start();
        let podstamp = knowing(&[("web-1", "10.1.1.1"), ("web-2", "10.1.1.2")]);
        let mut document = towards(agent.agent().address());
        document["podstamp"]["pods"] = json!({"from": format!("http://{}", podstamp.admin)});
        let Some(server) = host.serve(&document) else { continue };
        assert_eq!(address_of("web-1", &server, &agent), "10.1.1.1", "{host:?}: {}", server.log());
        assert_eq!(address_of("web-2", &server, &agent), "10.1.1.2");
        assert_eq!(address_of("web-3", &server, &agent), "0.0.0.0");

        let changed = spans::pods(&[("web-1", "10.1.1.9"), ("web-3", "10.1.1.3")]);
        std::fs::write(podstamp.folder.path().join("pods.json"), changed).unwrap();
        wait_until("the change arrives", || address_of("web-3", &server, &agent) == "10.1.1.3");
        assert_eq!(address_of("web-1", &server, &agent), "10.1.1.9");
        assert_eq!(address_of("web-2", &server, &agent), "0.0.0.0");

        drop(podstamp);
        // A host that keeps its instance keeps the table; one that does not has none.
        let expected = if host == Host::Jco { "10.1.1.9" } else { "0.0.0.0" };
        wait_until("its end is noticed", || {
            assert_eq!(address_of("web-1", &server, &agent), expected, "{host:?}");
            server.log().contains(": pods-missing: ")
        });
    }
}

#[test]
fn wasmtime_keeps_an_instance_with_its_pods_where_it_is_told_to() {
    let agent = FakeAgent::start();
    let podstamp = knowing(&[("web-1", "10.1.1.1")]);
    let mut document = towards(agent.agent().address());
    document["podstamp"]["pods"] = json!({"from": format!("http://{}", podstamp.admin)});
    let options =
        ["--max-instance-reuse-count=1000", "--idle-instance-timeout=3600s", "--max-concurrent-requests=1"];
    let document = document.to_string();
    let Some(server) = process::wasmtime(&[("PODSTAMP_CONFIG", &document)], &options) else { return };
    assert_eq!(address_of("web-1", &server, &agent), "10.1.1.1");
    drop(podstamp);
    assert_eq!(address_of("web-1", &server, &agent), "10.1.1.1", "{}", server.log());
}

#[test]
fn batches_pass_while_pods_cannot_be_had() {
    for host in Host::BOTH {
        let agent = FakeAgent::start();
        let no_pods = Raw::answering(|stream| {
            use std::io::Write;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>").unwrap();
        });
        for from in [closed_port(), no_pods.address] {
            let mut document = towards(agent.agent().address());
            document["podstamp"]["pods"] = json!({"from": format!("http://{from}")});
            let Some(server) = host.serve(&document) else { continue };
            assert_eq!(address_of("web-1", &server, &agent), "0.0.0.0");
            server.wait_for_notice("pods-missing");
        }
    }
}
