//! Pods from a central podstamp: `podstamp.pods.from: http://...`, and `GET /pods?since=...&wait=...` behind it.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use podstamp_test_support::blocking::http::{Client, Response, export, get};
use podstamp_test_support::blocking::raw::Raw;
use podstamp_test_support::ports::closed_port;
use podstamp_test_support::spans;

use crate::fake_agent::FakeAgent;
use crate::served::{Served, Setup, wait_until};

/// A podstamp that knows some pods, and tells them at a port.
fn central(pods: &[(&str, &str)], port: Option<u16>) -> Served {
    let setup = Setup::load_balancer("http://127.0.0.1:9/api/v1/otel/trace").pods(spans::pods(pods));
    Setup { admin: port, ..setup }.serve()
}

fn change(central: &Served, pods: &[(&str, &str)]) {
    let file = central.folder.path().join("pods.json");
    let fresh = file.with_extension("tmp");
    fs::write(&fresh, spans::pods(pods)).unwrap();
    fs::rename(fresh, file).unwrap();
}

/// A podstamp that takes its pods from another one.
fn follower(from: std::net::SocketAddr) -> (FakeAgent, Served) {
    let agent = FakeAgent::start();
    let own = format!("  pods:\n    from: http://{from}\n");
    let served = Setup::load_balancer(&agent.url()).own(&own).serve();
    (agent, served)
}

/// The address that a resource of a pod is stamped with.
fn address_of(pod: &str, (agent, served): &(FakeAgent, Served)) -> String {
    agent.agent().forget_records();
    assert_eq!(export(served.address, &spans::export(&[("shop", pod)])).status, 200);
    agent.placed().pop().unwrap().1
}

fn is_ready(served: &Served) -> bool {
    get(served.admin, "/readyz").0 == 200
}

#[test]
fn changes_of_the_central_one_arrive_while_all_others_stay() {
    let central = central(&[("web-1", "10.1.1.1"), ("web-2", "10.1.1.2")], None);
    let follower = follower(central.admin);
    wait_until("the pods are there", || is_ready(&follower.1));
    assert_eq!(address_of("web-1", &follower), "10.1.1.1");
    assert_eq!(address_of("web-2", &follower), "10.1.1.2");
    // The central one knows the whole cluster, and so does who follows it.
    assert_eq!(address_of("web-3", &follower), "0.0.0.0");

    change(&central, &[("web-1", "10.1.1.9"), ("web-3", "10.1.1.3")]);
    wait_until("the change arrives", || address_of("web-3", &follower) == "10.1.1.3");
    assert_eq!(address_of("web-1", &follower), "10.1.1.9");
    assert_eq!(address_of("web-2", &follower), "0.0.0.0", "it is gone");
    assert_eq!(follower.1.metric("podstamp_pods", &[]), 2.0);

    // Who follows can be followed, and explains like the central one.
    let second = self::follower(follower.1.admin);
    wait_until("the pods are there", || is_ready(&second.1));
    assert_eq!(address_of("web-1", &second), "10.1.1.9");
    let (status, text) = get(second.1.admin, "/pods/10.1.1.3");
    assert!(status == 200 && text.contains("is pod shop/web-3"), "{text}");
}

#[test]
fn the_last_pods_serve_while_the_central_one_is_away_and_a_new_one_takes_over_without_a_gap() {
    let port = closed_port().port();
    let first = central(&[("web-1", "10.1.1.1"), ("web-2", "10.1.1.2")], Some(port));
    let follower = follower(first.admin);
    wait_until("the pods are there", || is_ready(&follower.1));
    drop(first);
    follower.1.wait_for_log("podstamp.pods.from");
    assert_eq!(address_of("web-2", &follower), "10.1.1.2");

    let second = central(&[("web-1", "10.1.1.1"), ("web-2", "10.1.1.22"), ("web-3", "10.1.1.3")], Some(port));
    wait_until("the new one's pods are there", || {
        // Whatever the time, what has not changed is known.
        assert_eq!(address_of("web-1", &follower), "10.1.1.1");
        assert!(is_ready(&follower.1));
        address_of("web-3", &follower) == "10.1.1.3"
    });
    assert_eq!(address_of("web-2", &follower), "10.1.1.22");
    change(&second, &[("web-1", "10.1.1.1")]);
    wait_until("its changes arrive", || address_of("web-3", &follower) == "0.0.0.0");
}

#[test]
fn it_is_ready_once_the_pods_have_come_the_first_time() {
    let port = closed_port();
    let agent = FakeAgent::start();
    let mut setup = Setup::load_balancer(&agent.url()).own(&format!("  pods:\n    from: http://{port}\n"));
    setup.config =
        setup.config.replace("  k8sattributes:\n", "  k8sattributes:\n    wait_for_metadata: true\n");
    assert!(setup.config.contains("wait_for_metadata"), "{}", setup.config);
    let served = setup.serve();
    let (status, text) = get(served.admin, "/readyz");
    assert!(status == 503 && text.contains("pod"), "{status} {text}");
    served.wait_for_log(&format!("http://{port}"));
    wait_until("it says why", || get(served.admin, "/readyz").1.contains("does not answer"));
    let _central = central(&[("web-1", "10.1.1.1")], Some(port.port()));
    wait_until("the pods are there", || is_ready(&served));
    assert_eq!(address_of("web-1", &(agent, served)), "10.1.1.1");
}

#[test]
fn what_is_no_podstamp_is_told() {
    for (answer, said) in [
        ("HTTP/1.1 404 Not Found\r\ncontent-length: 7\r\n\r\nnothing", "it answers 404: nothing"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>", "no list of pods"),
        ("SSH-2.0-OpenSSH_9.6\r\n", "something else than HTTP"),
    ] {
        let other = Raw::answering(move |stream| {
            use std::io::Write;
            stream.write_all(answer.as_bytes()).unwrap();
        });
        let (_agent, served) = follower(other.address);
        let line = served.wait_for_log(said);
        assert!(
            line.contains(&format!("http://{}", other.address)) && line.contains("podstamp.pods.from"),
            "{line}"
        );
    }
}

fn ask(client: &mut Client, path: &str) -> Response {
    client.send("GET", path, &[], b"")
}

/// The version that the first line of an answer tells, and its other lines.
fn version(response: &Response) -> (String, Vec<String>) {
    assert_eq!(response.status, 200, "{}", response.message());
    let text = response.message();
    let mut lines = text.lines();
    let header = lines.next().unwrap();
    let version = header.split('\t').nth(2).unwrap_or_else(|| panic!("{header}"));
    (version.to_owned(), lines.map(str::to_owned).collect())
}

#[test]
fn who_has_a_version_gets_what_has_changed_since_and_who_has_none_gets_all() {
    let pods: Vec<_> = (0..50).map(|index| (format!("web-{index}"), format!("10.1.1.{index}"))).collect();
    let mut pods: Vec<_> = pods.iter().map(|(name, address)| (&**name, &**address)).collect();
    let central = central(&pods, None);
    let mut client = Client::connect(central.admin);
    let (first, all) = version(&ask(&mut client, "/pods?fields=namespace&since="));
    assert!(all.len() >= 50 && all.iter().any(|line| line.contains("web-7\t10.1.1.7")), "{all:?}");
    let (same, none) = version(&ask(&mut client, &format!("/pods?fields=namespace&since={first}")));
    assert!(same == first && !none.iter().any(|line| line.contains("web-")), "{none:?}");

    pods[7].1 = "10.1.2.7";
    pods.swap_remove(9);
    change(&central, &pods);
    let changed = ask(&mut client, &format!("/pods?fields=namespace&since={first}&wait=50"));
    let (second, lines) = version(&changed);
    assert_ne!(second, first);
    let named: Vec<_> = lines.iter().filter(|line| line.contains("web-")).collect();
    assert!(named.len() == 1 && named[0].contains("web-7\t10.1.2.7"), "{lines:?}");
    assert_eq!(lines.iter().filter(|line| line.parse::<u32>().is_ok()).count(), 1, "a tombstone: {lines:?}");

    for unknown in ["1.1", "nonsense", "0.0"] {
        let (version, lines) =
            version(&ask(&mut client, &format!("/pods?fields=namespace&since={unknown}&wait=50")));
        assert!(
            version == second && lines.iter().filter(|line| line.contains("web-")).count() == 49,
            "{lines:?}"
        );
    }
    let waited = Instant::now();
    let (same, _) = version(&ask(&mut client, &format!("/pods?since={second}&wait=1")));
    assert!(same == second && waited.elapsed() >= Duration::from_millis(900));
    assert_eq!(ask(&mut client, "/pods?since=1.1&wait=long").status, 400);
}

#[test]
fn a_hundred_may_wait_at_once_and_all_get_the_change() {
    let central = central(&[("web-1", "10.1.1.1")], None);
    let mut clients: Vec<_> = (0..100).map(|_| Client::connect(central.admin)).collect();
    let (first, _) = version(&ask(&mut clients[0], "/pods?since="));
    for client in &mut clients {
        client.write(format!("GET /pods?since={first}&wait=50 HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes());
    }
    // Probes and scrapers do not wait for those who do.
    assert_eq!(get(central.admin, "/healthz").0, 200);
    change(&central, &[("web-1", "10.1.1.2")]);
    let texts: BTreeSet<_> = clients.iter_mut().map(|client| client.receive().message()).collect();
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert!(texts.iter().all(|text| text.contains("web-1\t10.1.1.2")), "{texts:?}");
}

#[test]
fn many_pods_come_in_gzip_to_those_who_take_it() {
    let pods: Vec<_> = (0..2000)
        .map(|index| (format!("web-{index}"), format!("10.1.{}.{}", index / 250, index % 250)))
        .collect();
    let pods: Vec<_> = pods.iter().map(|(name, address)| (&**name, &**address)).collect();
    let central = central(&pods, None);
    let mut client = Client::connect(central.admin);
    for path in ["/pods", "/pods?since="] {
        let plain = ask(&mut client, path);
        let packed = client.send("GET", path, &[("accept-encoding", "gzip")], b"");
        assert_eq!(
            (plain.header("content-encoding"), packed.header("content-encoding")),
            (None, Some("gzip"))
        );
        assert!(packed.body.len() * 3 < plain.body.len(), "{} {}", packed.body.len(), plain.body.len());
        let mut inflated = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&*packed.body), &mut inflated).unwrap();
        assert_eq!(inflated, plain.body);
    }
    let tag = client.send("GET", "/pods", &[("accept-encoding", "gzip")], b"");
    let tag = tag.header("etag").unwrap().to_owned();
    assert_eq!(client.send("GET", "/pods", &[("if-none-match", &tag)], b"").status, 304);
}
