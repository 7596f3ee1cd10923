//! An agent that is down, closes, is busy or is none; a pods file that changes; the order to stop.

use std::net::SocketAddr;

use podstamp_fake_agent::{Answer, Latch, Script};
use podstamp_test_support::blocking::http::{Client, export};
use podstamp_test_support::ports::closed_port;
use podstamp_test_support::spans;

use crate::fake_agent::FakeAgent;
use crate::served::{Served, Setup, can_mount, wait_until};

#[test]
fn an_agent_that_is_down_gives_503_and_one_that_comes_up_takes_the_next_request() {
    let address = closed_port();
    let url = format!("http://{address}/api/v1/otel/trace");
    let served = Setup::load_balancer(&url).serve();
    let answer = export(served.address, &spans::export(&[("shop", "web-1")]));
    assert_eq!(answer.status, 503);
    assert!(answer.header("retry-after").is_some());
    served.wait_for_log("no connection to http://");
    let agent = FakeAgent::with(|builder| builder.listen(address));
    assert_eq!(export(served.address, &spans::export(&[("shop", "web-1")])).status, 200);
    assert_eq!(agent.agent().totals().spans, 1);
}

#[test]
fn an_agent_that_stays_away_gives_503_at_once_until_it_is_back() {
    let address = closed_port();
    let url = format!("http://{address}/api/v1/otel/trace");
    let served = Setup::load_balancer(&url).own("  upstream:\n    patience: 200ms\n").serve();
    let body = spans::export(&[("shop", "web-1")]);
    let away = || served.metric("podstamp_upstream_away", &[]);
    wait_until("it is known to be away", || {
        assert_eq!(export(served.address, &body).status, 503);
        away() == 1.0
    });
    served.wait_for_log("is away");
    wait_until("a request is not even tried", || {
        let answer = export(served.address, &body);
        assert!(answer.header("retry-after").is_some());
        assert!(answer.message().contains("the upstream cannot be reached"), "{}", answer.message());
        served.metric("podstamp_upstream_unsent_total", &["away"]) > 0.0
    });
    let agent = FakeAgent::with(|builder| builder.listen(address));
    wait_until("a request gets through", || export(served.address, &body).status == 200);
    served.wait_for_log("is back");
    assert_eq!(away(), 0.0);
    assert_eq!(export(served.address, &body).status, 200);
    assert_eq!(agent.agent().totals().spans, 2);
}

#[test]
fn an_agent_that_closes_on_a_sound_batch_gives_503() {
    let agent = FakeAgent::with(|builder| builder.play(1, Script::Close));
    let served = Setup::load_balancer(&agent.url()).serve();
    let answer = export(served.address, &spans::export(&[("shop", "web-1")]));
    assert_eq!(answer.status, 503, "{}", answer.message());
    assert!(answer.message().contains("the batch is sound"), "{}", answer.message());
    assert_eq!(export(served.address, &spans::export(&[("shop", "web-1")])).status, 200);
}

#[test]
fn a_busy_upstream_is_tried_again_until_it_takes_the_batch() {
    let busy = Answer::new(503).unwrap();
    let agent = FakeAgent::with(|builder| builder.play(2, Script::Answer(busy)));
    let served = Setup::load_balancer(&agent.url()).serve();
    assert_eq!(export(served.address, &spans::export(&[("shop", "web-1")])).status, 200);
    assert_eq!(agent.records().len(), 3);
    assert_eq!(agent.agent().totals().spans, 1);
}

#[test]
fn a_wrong_path_reaches_the_log_with_the_key_to_correct() {
    let agent = FakeAgent::start();
    let url = agent.url().replace("/api/v1/otel/trace", "/v1/traces");
    let served = Setup::load_balancer(&url).serve();
    let answer = export(served.address, &spans::export(&[("shop", "web-1")]));
    assert_eq!(answer.status, 500);
    let line = served.wait_for_log("exporters.otlphttp.traces_endpoint");
    assert!(line.contains("/api/v1/otel/trace"), "{line}");
}

/// Two agents by one name, and a podstamp on the second one's node. `None` where a name cannot lead there.
fn two_agents(own: &str) -> Option<([FakeAgent; 2], Served)> {
    if !can_mount("agents by one name") {
        return None;
    }
    let first = closed_port();
    let second = SocketAddr::from(([127, 0, 0, 2], first.port()));
    let agents = [first, second].map(|address| FakeAgent::with(|builder| builder.listen(address)));
    let hosts = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&hosts, "127.0.0.1 localhost agents.test\n127.0.0.2 agents.test\n").unwrap();
    let pod = |name: &str, node: &str, ip: &str| {
        serde_json::json!({
            "metadata": {"name": name, "namespace": "deepflow", "uid": name},
            "spec": {"nodeName": node},
            "status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}], "hostIP": "192.168.0.1"},
        })
    };
    let items = [pod("agent-1", "node-1", "127.0.0.1"), pod("agent-2", "node-2", "127.0.0.2")];
    let pods = serde_json::json!({"kind": "PodList", "items": items}).to_string();
    let url = format!("http://agents.test:{}/api/v1/otel/trace", first.port());
    let mut setup = Setup::load_balancer(&url).pods(pods).own(own);
    setup.mounting = Some(r#"mount --bind "$HOSTS" /etc/hosts && exec "$@""#);
    setup.variables = vec![("HOSTS", hosts.path().display().to_string()), ("NODE_NAME", "node-2".to_owned())];
    // The file is mounted when it serves.
    Some((agents, setup.serve()))
}

#[test]
fn the_agents_of_one_name_share_the_requests_and_one_that_goes_costs_none() {
    let Some(([first, second], served)) = two_agents("") else { return };
    let send = || assert_eq!(export(served.address, &spans::export(&[("shop", "web-1")])).status, 200);
    (0..6).for_each(|_| send());
    assert_eq!((first.agent().totals().spans, second.agent().totals().spans), (3, 3));
    assert_eq!(served.metric("podstamp_upstream_addresses", &[]), 2.0);
    drop(second);
    (0..6).for_each(|_| send());
    assert_eq!(first.agent().totals().spans, 9);
    assert_eq!(served.metric("podstamp_upstream_addresses_away", &[]), 1.0);
    assert_eq!(served.metric("podstamp_upstream_away", &[]), 0.0);
}

#[test]
fn the_agent_on_podstamps_own_node_is_used_first_and_the_other_one_when_it_has_gone() {
    let Some(([first, second], served)) = two_agents("  upstream: {prefer_local_node: true}\n") else {
        return;
    };
    let send = || assert_eq!(export(served.address, &spans::export(&[("shop", "web-1")])).status, 200);
    (0..6).for_each(|_| send());
    assert_eq!((first.agent().totals().spans, second.agent().totals().spans), (0, 6));
    drop(second);
    (0..3).for_each(|_| send());
    assert_eq!(first.agent().totals().spans, 3);
}

#[test]
fn a_pods_file_is_read_again_and_a_bad_one_keeps_the_old_table() {
    let agent = FakeAgent::start();
    let served = Setup::load_balancer(&agent.url()).pods(spans::pods(&[("web-1", "10.1.1.1")])).serve();
    let stamped = || {
        assert_eq!(export(served.address, &spans::export(&[("shop", "web-1")])).status, 200);
        agent.placed().pop().unwrap().1
    };
    assert_eq!(stamped(), "10.1.1.1");
    let file = served.folder.path().join("pods.json");
    std::fs::write(&file, "{\"items\": [").unwrap();
    let line = served.wait_for_log("pods.json");
    assert!(line.contains("line"), "{line}");
    agent.agent().forget_records();
    assert_eq!(stamped(), "10.1.1.1");
    std::fs::write(&file, spans::pods(&[("web-1", "10.1.1.2")])).unwrap();
    wait_until("the new file is read", || {
        agent.agent().forget_records();
        stamped() == "10.1.1.2"
    });
}

#[test]
fn on_sigterm_what_is_in_flight_is_finished_and_nothing_else_taken() {
    let latch = Latch::default();
    let agent = FakeAgent::behind(&latch);
    let mut served = Setup::load_balancer(&agent.url()).serve();
    let address = served.address;
    let mut client = Client::connect(address);
    let in_flight = std::thread::spawn(move || client.export(&spans::export(&[("shop", "web-1")])).status);
    served.wait_for_request_in_flight();
    served.terminate();
    served.wait_for_log("finishing what is in flight");
    latch.open();
    assert_eq!(in_flight.join().unwrap(), 200);
    assert_eq!(served.wait().code(), Some(0));
    assert_eq!(agent.agent().totals().spans, 1);
}
