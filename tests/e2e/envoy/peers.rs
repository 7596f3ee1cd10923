//! The pod of a batch that names none, without a table of pods: the address at the far end.

use podstamp_test_support::blocking::http::{Client, PROTOBUF};
use podstamp_test_support::spans;
use serde_json::{Value, json};

use super::setup::document;
use super::{Envoy, Setup};
use crate::fake_agent::FakeAgent;

/// The direct peer's address, which nobody can forge.
const DIRECT: &str = "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%";

const UNKNOWN: &str = "0.0.0.0";

const FORWARDED_FOR: (&str, &str) = ("x-forwarded-for", "10.1.2.3");

/// The address that is stamped on a batch with these headers.
fn stamped(envoy: &Envoy, agent: &FakeAgent, headers: &[(&str, &str)]) -> String {
    stamped_on(&mut Client::connect(envoy.address), agent, headers)
}

fn stamped_on(client: &mut Client, agent: &FakeAgent, headers: &[(&str, &str)]) -> String {
    agent.agent().forget_records();
    let headers = [&[PROTOBUF], headers].concat();
    let batch = spans::export(&[("shop", "nameless")]);
    assert_eq!(client.send("POST", "/v1/traces", &headers, &batch).status, 200);
    let placed = agent.placed();
    let [(_, address)] = &placed[..] else { panic!("{placed:?}") };
    address.clone()
}

fn trusting(proxies: &str) -> Option<Value> {
    Some(document(&format!("  trusted_proxies: [{proxies}]\n")))
}

/// Lets a test come from elsewhere than this machine, as far as Envoy knows; the direct peer is this machine.
fn proxy_protocol() -> Value {
    let kind = "type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol";
    json!({"listener_filters": [
        {"name": "envoy.filters.listener.proxy_protocol", "typed_config": {"@type": kind}},
    ]})
}

#[test]
fn the_address_in_the_filter_state_is_the_peers() {
    let agent = FakeAgent::start();
    let setup = Setup { peer: Some("%REQ(x-test-peer)%"), ..Setup::to(&agent) };
    let Some(envoy) = setup.start() else { return };
    for (peer, expected) in [
        ("10.1.2.3", "10.1.2.3"),
        ("fd00::7", "fd00::7"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("127.0.0.1", UNKNOWN),
        ("::1", UNKNOWN),
        ("169.254.1.1", UNKNOWN),
        ("nobody", UNKNOWN),
    ] {
        assert_eq!(stamped(&envoy, &agent, &[("x-test-peer", peer)]), expected, "{peer}");
    }
}

#[test]
fn the_key_of_the_filter_state_can_be_another() {
    let agent = FakeAgent::start();
    for (key, expected) in [("mesh.peer", super::POD), ("podstamp.peer", UNKNOWN)] {
        let mut setup = Setup { peer_key: key, ..Setup::to(&agent) };
        setup.document = Some(document("  proxy_wasm:\n    peer: mesh.peer\n"));
        let Some(envoy) = setup.start() else { return };
        assert_eq!(stamped(&envoy, &agent, &[]), expected, "{key}");
    }
}

#[test]
fn a_forwarded_for_that_nobody_vouches_for_is_not_believed() {
    let agent = FakeAgent::start();
    for (peer, use_remote_address) in [(Some(DIRECT), false), (None, false), (None, true)] {
        let mut setup = Setup { peer, ..Setup::to(&agent) };
        setup.manager = json!({"use_remote_address": use_remote_address});
        let Some(envoy) = setup.start() else { return };
        for header in [FORWARDED_FOR, ("forwarded", "for=10.1.2.3")] {
            let address = stamped(&envoy, &agent, &[header]);
            assert_eq!(address, UNKNOWN, "{peer:?}, use_remote_address {use_remote_address}: {header:?}");
        }
    }
}

#[test]
fn a_pod_behind_the_direct_peer_cannot_claim_to_be_another() {
    let agent = FakeAgent::start();
    let mut setup = Setup::to(&agent);
    setup.manager = json!({"use_remote_address": true});
    let Some(envoy) = setup.start() else { return };
    assert_eq!(stamped(&envoy, &agent, &[FORWARDED_FOR]), super::POD);
}

#[test]
fn a_forwarded_for_of_a_trusted_proxy_is_believed() {
    let agent = FakeAgent::start();
    let setup = Setup { peer: Some(DIRECT), document: trusting("127.0.0.1"), ..Setup::to(&agent) };
    let Some(envoy) = setup.start() else { return };
    let pod = |value| stamped(&envoy, &agent, &[("x-forwarded-for", value)]);
    assert_eq!(pod("10.1.2.3"), "10.1.2.3");
    assert_eq!(pod("10.9.9.9, 10.1.2.3"), "10.1.2.3", "who began the header is not believed");
    assert_eq!(stamped(&envoy, &agent, &[]), UNKNOWN);
}

#[test]
fn a_forwarded_for_that_envoy_lengthens_is_read_from_its_end() {
    let agent = FakeAgent::start();
    let document = trusting("127.0.0.1, 10.9.0.0/16");
    let mut setup = Setup { peer: Some(DIRECT), document, ..Setup::to(&agent) };
    setup.manager = json!({"use_remote_address": true});
    setup.listener = proxy_protocol();
    let Some(envoy) = setup.start() else { return };
    for (proxy, expected) in [("10.9.0.1", "10.1.2.3"), ("10.7.7.7", "10.7.7.7")] {
        let mut client = Client::connect(envoy.address);
        client.write(format!("PROXY TCP4 {proxy} 192.0.2.1 40000 4318\r\n").as_bytes());
        assert_eq!(stamped_on(&mut client, &agent, &[FORWARDED_FOR]), expected, "by {proxy}");
    }
}

#[test]
fn a_forwarded_for_of_a_proxy_that_is_not_trusted_is_not_believed() {
    let agent = FakeAgent::start();
    let setup = Setup { peer: Some(DIRECT), document: trusting("10.9.0.0/16"), ..Setup::to(&agent) };
    let Some(envoy) = setup.start() else { return };
    assert_eq!(stamped(&envoy, &agent, &[FORWARDED_FOR]), UNKNOWN);
}

#[test]
fn without_the_filter_state_the_address_that_envoy_knows_is_the_peers() {
    let agent = FakeAgent::start();
    let mut setup = Setup { peer: None, ..Setup::to(&agent) };
    let proxy_protocol =
        "type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol";
    setup.listener = json!({"listener_filters": [
        {"name": "envoy.filters.listener.proxy_protocol", "typed_config": {"@type": proxy_protocol}},
    ]});
    let Some(envoy) = setup.start() else { return };
    for (header, pod) in [
        ("PROXY TCP4 10.1.2.3 192.0.2.1 40000 4318\r\n", "10.1.2.3"),
        ("PROXY TCP6 fd00::7 fd00::1 40000 4318\r\n", "fd00::7"),
    ] {
        let mut client = Client::connect(envoy.address);
        client.write(header.as_bytes());
        assert_eq!(stamped_on(&mut client, &agent, &[]), pod);
        assert_eq!(stamped_on(&mut client, &agent, &[]), pod, "said once, it holds for the connection");
    }
}

#[test]
fn without_the_filter_state_envoys_own_count_of_proxies_is_believed_where_podstamp_knows_of_any() {
    let agent = FakeAgent::start();
    for (document, expected) in [(trusting("10.9.0.0/16"), "10.1.2.3"), (trusting(""), UNKNOWN)] {
        let mut setup = Setup { peer: None, document, ..Setup::to(&agent) };
        setup.manager = json!({"use_remote_address": true, "xff_num_trusted_hops": 1});
        let Some(envoy) = setup.start() else { return };
        assert_eq!(stamped(&envoy, &agent, &[("x-forwarded-for", "10.6.6.6, 10.1.2.3")]), expected);
    }
}

#[test]
fn without_the_filter_state_the_log_says_how_to_have_it() {
    let agent = FakeAgent::start();
    let Some(envoy) = (Setup { peer: None, ..Setup::to(&agent) }).start() else { return };
    assert_eq!(stamped(&envoy, &agent, &[FORWARDED_FOR]), UNKNOWN);
    envoy.wait_for_log(&["wasm", "set_filter_state", "podstamp.peer"]);
}

#[test]
fn whoever_asks_from_a_sidecars_own_pod_is_that_pod() {
    const SIDECAR: &str = "10.244.1.9";
    let agent = FakeAgent::start();
    let start = |peer, concurrency| {
        let mut setup = Setup { peer, concurrency, ..Setup::to(&agent) };
        setup.metadata = json!({"INSTANCE_IPS": format!("{SIDECAR},fd00::9")});
        setup.start()
    };
    let (Some(by_state), Some(by_source)) = (start(Some("%REQ(x-test-peer)%"), 2), start(None, 1)) else {
        return;
    };
    let from = |peer| stamped(&by_state, &agent, &[FORWARDED_FOR, ("x-test-peer", peer)]);
    // So often that each of the workers is asked.
    (0..10).for_each(|_| assert_eq!(from("127.0.0.1"), SIDECAR));
    assert_eq!(from("::1"), SIDECAR);
    assert_eq!(from(super::POD), super::POD, "who asks from elsewhere is somebody else");
    assert_eq!(stamped(&by_source, &agent, &[]), SIDECAR);
    // The request may be passed on for anybody.
    assert_eq!(stamped(&by_source, &agent, &[FORWARDED_FOR]), UNKNOWN);
}

#[test]
fn what_the_batch_says_goes_ahead_of_the_connection() {
    let agent = FakeAgent::start();
    let Some(envoy) = Setup::to(&agent).start() else { return };
    let body = json!({"resourceSpans": [{
        "resource": {"attributes": [{"key": "k8s.pod.ip", "value": {"stringValue": "10.5.5.5"}}]},
        "scopeSpans": [{"spans": [{"name": "work"}]}],
    }]});
    let headers = [("content-type", "application/json")];
    let mut client = Client::connect(envoy.address);
    assert_eq!(client.send("POST", "/v1/traces", &headers, body.to_string().as_bytes()).status, 200);
    assert_eq!(agent.placed(), [(String::new(), "10.5.5.5".to_owned())]);
}
