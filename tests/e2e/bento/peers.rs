//! The address of the client, which Bento lets every client choose: it must not reach a resource.

use podstamp_test_support::blocking::http::{Client, PROTOBUF};
use podstamp_test_support::spans;

use super::Setup;
use super::process::example;
use crate::fake_agent::FakeAgent;

/// The address that a batch is stamped with, sent with this path and these headers.
fn placed(setup: Setup, agent: &FakeAgent, attempts: &[(&str, &[(&str, &str)])]) -> Option<Vec<String>> {
    let bento = setup.start()?;
    let placed = attempts.iter().map(|(path, headers)| {
        let mut all = vec![PROTOBUF];
        all.extend(headers.iter().copied());
        let body = spans::export(&[("shop", "no-pod-that-is-known")]);
        let response = Client::connect(bento.address).send("POST", path, &all, &body);
        assert_eq!(response.status, 200, "{path} {headers:?}: {response:?}");
        let placed = agent.placed();
        assert_eq!(placed.len(), 1, "{path} {headers:?}");
        agent.agent().forget_records();
        placed[0].1.clone()
    });
    Some(placed.collect())
}

/// Each way in which a client could name an address, or take podstamp's own keys.
const FORGERIES: &[(&str, &[(&str, &str)])] = &[
    ("/v1/traces", &[]),
    ("/v1/traces?http_server_remote_ip=10.9.9.9", &[]),
    ("/v1/traces?podstamp_peer=10.9.9.9", &[]),
    ("/v1/traces?podstamp_header_x-forwarded-for=10.9.9.9&podstamp_peer=127.0.0.1", &[]),
    ("/v1/traces?podstamp_url=http://127.0.0.1:9/&podstamp_status=204&podstamp_config=%7B%7D", &[]),
    ("/v1/traces?podstamp_pods_version=1&podstamp_pods=podstamp-pods%202", &[]),
    ("/v1/traces", &[("cookie", "http_server_remote_ip=10.9.9.9; podstamp_peer=10.9.9.9")]),
    ("/v1/traces", &[("cookie", "podstamp_config={}; podstamp_url=http://127.0.0.1:9/")]),
    ("/v1/traces", &[("http_server_remote_ip", "10.9.9.9"), ("podstamp_peer", "10.9.9.9")]),
    ("/v1/traces", &[("x-forwarded-for", "10.9.9.9"), ("forwarded", "for=10.9.9.9")]),
];

#[test]
fn no_query_cookie_or_header_gives_a_batch_an_address() {
    let agent = FakeAgent::start();
    let Some(placed) = placed(Setup::to(&agent.url()), &agent, FORGERIES) else { return };
    assert_eq!(placed, vec!["0.0.0.0"; FORGERIES.len()]);
}

/// Why the pipeline hands on no address: a test of Bento, and of whether the test above could see a forged one.
#[test]
fn what_bento_calls_the_clients_address_is_any_clients_to_choose() {
    let agent = FakeAgent::start();
    let setup = Setup::to(&agent.url()).change(
        "\"podstamp_now\":",
        "\"podstamp_peer\": @http_server_remote_ip,\n          \"podstamp_now\":",
    );
    let Some(placed) = placed(setup, &agent, FORGERIES) else { return };
    assert_eq!(placed[1], "10.9.9.9", "by a query parameter");
    assert_eq!(placed[6], "10.9.9.9", "by a cookie");
    assert_eq!(placed[8], placed[0], "not by a header");
}

/// As the example's README has it for a proxy that takes query and cookies away.
#[test]
fn an_address_that_a_proxy_vouches_for_can_be_handed_on() {
    let line = "\"podstamp_peer\": metadata(\"X-Real-Ip\").or(\"\")";
    assert!(example("README.md").contains(line));
    let agent = FakeAgent::start();
    let setup =
        Setup::to(&agent.url()).change("\"podstamp_now\":", format!("{line},\n          \"podstamp_now\":"));
    let attempts = [("/v1/traces", &[("x-real-ip", "10.1.2.3")][..]), ("/v1/traces", &[])];
    let Some(placed) = placed(setup, &agent, &attempts) else { return };
    assert_eq!(placed, ["10.1.2.3", "0.0.0.0"]);
}

/// Bento goes on with a message whose mapping has failed, the client's metadata and all.
#[test]
fn a_mapping_that_fails_lets_nothing_through() {
    let agent = FakeAgent::start();
    let setup = Setup::to(&agent.url()).change("timestamp_unix_nano()", "throw(\"it fails\")");
    let Some(bento) = setup.start() else { return };
    let configuration = format!(
        "%7B%22exporters%22:%7B%22otlphttp%22:%7B%22traces_endpoint%22:%22{}%22%7D%7D%7D",
        agent.url()
    );
    for query in [
        "podstamp_peer=10.9.9.9".to_owned(),
        format!("podstamp_peer=10.9.9.9&podstamp_config={configuration}"),
        format!("podstamp_url={}", agent.url()),
    ] {
        let body = spans::export(&[("shop", "web-1")]);
        let path = format!("/v1/traces?{query}");
        let response = Client::connect(bento.address).send("POST", &path, &[PROTOBUF], &body);
        assert_eq!((response.status, response.body.len()), (500, 0), "{query}: {response:?}");
        assert_eq!(agent.records().len(), 0, "{query}");
    }
}
