//! `GET /pods/WHAT`, `GET /peers` and `podstamp pods`: why something does or does not lead to a pod.

use std::process::Output;

use podstamp_test_support::blocking::http::{Client, PROTOBUF, get};
use podstamp_test_support::blocking::raw::Raw;
use podstamp_test_support::ports::closed_port;
use podstamp_test_support::spans;
use serde_json::Value;

use crate::fake_agent::FakeAgent;
use crate::served::{Served, Setup, fixture, podstamp, run};

fn serve() -> (FakeAgent, Served) {
    let agent = FakeAgent::start();
    let setup = Setup::load_balancer(&agent.url()).pods(fixture("pods.json"));
    let served = setup.own("  trusted_proxies: [127.0.0.1]\n").serve();
    (agent, served)
}

/// Sends a batch that says nothing usable of its pod, forwarded for an address.
fn export_for(served: &Served, address: &str) {
    let headers = [PROTOBUF, ("x-forwarded-for", address)];
    let body = spans::export(&[("shop", "nobody")]);
    assert_eq!(Client::connect(served.address).send("POST", "/v1/traces", &headers, &body).status, 200);
}

fn ask(served: &Served, arguments: &[&str]) -> (Option<i32>, String, String) {
    let url = format!("http://{}", served.admin);
    told(&podstamp(["pods"]).args(arguments).args(["--admin", &url]).output().unwrap())
}

fn told(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_nodes_address_is_explained_with_what_came_from_it_and_what_to_do() {
    let (_agent, served) = serve();
    for _ in 0..14 {
        export_for(&served, "192.168.10.12");
    }
    let (status, text) = get(served.admin, "/pods/192.168.10.12");
    let explanation: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (status, &explanation["outcome"], &explanation["node"]),
        (200, &"node".into(), &"node-2".into())
    );
    assert_eq!(explanation["lost"]["requests"], 14);

    let (code, out, _) = ask(&served, &["explain", "192.168.10.12"]);
    assert_eq!(code, Some(65));
    assert!(out.starts_with("192.168.10.12 is node node-2, not a pod; 14 requests came from it"), "{out}");
    assert!(out.contains("internalTrafficPolicy: Local") && out.contains("host.name"), "{out}");

    let (status, text) = get(served.admin, "/peers");
    let peers: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(status, 200);
    let expected = ("192.168.10.12".into(), 14.into(), "node".into(), "node-2".into());
    let peer = &peers["peers"][0];
    assert_eq!(
        (&peer["address"], &peer["requests"], &peer["is"], &peer["node"]),
        (&expected.0, &expected.1, &expected.2, &expected.3)
    );
}

#[test]
fn the_same_is_told_to_programs_and_to_people_of_each_way_to_name_a_pod() {
    let (_agent, served) = serve();
    for what in ["10.244.1.31", "shop/order-0", "6f0c1d52-3b1e-4a57-9a39-2c1d7e5f0a03"] {
        let (code, out, _) = ask(&served, &["explain", what]);
        assert_eq!(code, Some(0), "{out}");
        assert!(out.contains("is pod shop/order-0 on node node-1"), "{out}");
        let (code, json, _) = ask(&served, &["explain", what, "--output", "json"]);
        let explanation: Value = serde_json::from_str(&json).unwrap();
        assert_eq!((code, &explanation["pods"][0]["name"]), (Some(0), &"order-0".into()));
        let as_text = Client::connect(served.admin).send(
            "GET",
            &format!("/pods/{what}"),
            &[("accept", "text/plain")],
            b"",
        );
        assert_eq!((as_text.status, as_text.message()), (200, out));
    }
    let container = format!("containerd://{}", "5e2d".repeat(16));
    let (code, out, _) = ask(&served, &["explain", &container]);
    assert!(code == Some(65) && out.contains("is pod shop/user-7b8d9f5c44-old01"), "{out}");
    assert!(out.contains("another pod has its address 10.244.1.50 by now"), "{out}");
    let (code, out, _) = ask(&served, &["explain", "order-0"]);
    assert!(code == Some(65) && out.contains("several pods: shop/order-0, shop-staging/order-0"), "{out}");
    let (status, text) = get(served.admin, "/pods/%zz");
    assert!(status == 400 && text.contains("/pods/WHAT"), "{text}");
}

#[test]
fn pods_are_listed_in_columns_and_selected_by_namespace_and_node() {
    let (_agent, served) = serve();
    let (code, out, _) = ask(&served, &["ls"]);
    let lines: Vec<_> = out.lines().collect();
    assert_eq!((code, lines.len()), (Some(0), 12), "{out}");
    assert!(lines[0].starts_with("NAMESPACE") && lines[0].ends_with("STATE"), "{out}");
    assert!(lines[1].starts_with("kube-system") && lines[1].ends_with("on its node's network"), "{out}");
    let (_, out, _) = ask(&served, &["ls", "--namespace", "shop", "--node", "node-2"]);
    let names: Vec<_> = out.lines().skip(1).filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert_eq!(names, ["item-6c8f7d9b44-q9w8e", "report-28934220-b7k2p", "stock-5f9c8d7b66-m4n5b"]);
    let (_, json, _) = ask(&served, &["ls", "--namespace", "shop-staging", "--output", "json"]);
    let pods: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((pods.as_array().unwrap().len(), &pods[0]["ips"][0]), (1, &"10.244.2.31".into()));
}

#[test]
fn who_cannot_be_asked_is_told_with_what_to_do() {
    let closed = format!("http://{}", closed_port());
    let (code, _, error) = told(&run(["pods", "explain", "10.0.0.1", "--admin", &closed], b""));
    assert_eq!(code, Some(69));
    assert!(
        error.contains(&format!("nobody listens at {closed}")) && error.contains("podstamp.admin"),
        "{error}"
    );

    let agent = FakeAgent::start();
    let without = Setup::load_balancer(&agent.url()).serve();
    for arguments in [&["ls"][..], &["explain", "web-1"]] {
        let (code, _, error) = ask(&without, arguments);
        assert_eq!(code, Some(69));
        assert!(error.contains("knows no pods") && error.contains("podstamp.pods"), "{error}");
    }

    let other = Raw::answering(|stream| {
        use std::io::Write;
        write!(stream, "HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nno").unwrap();
    });
    let url = other.address.to_string();
    let (code, _, error) = told(&run(["pods", "ls", "--admin", &url], b""));
    assert!(code == Some(69) && error.contains("no admin listener of podstamp"), "{error}");
    let (code, _, error) = told(&run(["pods", "ls", "--admin", "https://localhost:1"], b""));
    assert!(code == Some(64) && error.contains("plain HTTP"), "{error}");
}
