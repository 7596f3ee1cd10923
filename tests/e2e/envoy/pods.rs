//! Pods from a podstamp elsewhere: what resources name is looked up in a table that follows that podstamp's.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

use podstamp_test_support::blocking::http::{export, get};
use podstamp_test_support::blocking::raw::Raw;
use podstamp_test_support::spans;

use super::{Envoy, Setup};
use crate::fake_agent::FakeAgent;
use crate::served::{self, Served, wait_until};

/// A podstamp that knows some pods.
fn knowing(pods: &[(&str, &str)]) -> Served {
    served::Setup::load_balancer("http://127.0.0.1:9/api/v1/otel/trace").pods(spans::pods(pods)).serve()
}

/// The address that a batch of this pod is stamped with, which comes from a gateway.
fn address_of(pod: &str, envoy: &Envoy, agent: &FakeAgent) -> String {
    agent.agent().forget_records();
    assert_eq!(export(envoy.address, &spans::export(&[("shop", pod)])).status, 200);
    agent.placed().pop().unwrap().1
}

#[test]
fn resources_get_the_address_of_the_pod_that_they_name_and_changes_are_followed() {
    let agent = FakeAgent::start();
    let podstamp = knowing(&[("web-1", "10.1.1.1"), ("web-2", "10.1.1.2")]);
    let Some(envoy) = Setup::to(&agent).asking(podstamp.admin).start() else { return };
    wait_until("the table is there", || address_of("web-1", &envoy, &agent) == "10.1.1.1");
    assert_eq!(address_of("web-2", &envoy, &agent), "10.1.1.2");
    // The list is that of the whole cluster, so that a gateway's address, which is not in it, cannot be a pod's.
    assert_eq!(address_of("web-3", &envoy, &agent), "0.0.0.0");
    assert_eq!(envoy.metric("podstamp_pods", &[]), 2.0);

    let changed = spans::pods(&[("web-1", "10.1.1.9"), ("web-2", "10.1.1.2"), ("web-3", "10.1.1.3")]);
    std::fs::write(podstamp.folder.path().join("pods.json"), changed).unwrap();
    wait_until("the change arrives", || address_of("web-3", &envoy, &agent) == "10.1.1.3");
    assert_eq!(address_of("web-1", &envoy, &agent), "10.1.1.9");
    assert_eq!(envoy.metric("podstamp_pods", &[]), 3.0);
    assert_eq!(envoy.metric("podstamp_pods_failures_total", &[]), 0.0);

    // A pod that is gone takes its place in the list with it.
    std::fs::write(
        podstamp.folder.path().join("pods.json"),
        spans::pods(&[("web-1", "10.1.1.9"), ("web-3", "10.1.1.3")]),
    )
    .unwrap();
    wait_until("the change arrives", || address_of("web-2", &envoy, &agent) == "0.0.0.0");
    assert_eq!(address_of("web-1", &envoy, &agent), "10.1.1.9");
    assert_eq!(envoy.metric("podstamp_pods", &[]), 2.0);
    assert_eq!(envoy.metric("podstamp_pods_failures_total", &[]), 0.0);

    drop(podstamp);
    wait_until("its end is noticed", || envoy.metric("podstamp_pods_failures_total", &[]) > 1.0);
    envoy.wait_for_log(&["wasm", "pods-missing", "\"podstamp\"", "podstamp.proxy_wasm.pods.cluster"]);
    assert_eq!(address_of("web-1", &envoy, &agent), "10.1.1.9", "the last table stays");
    assert_eq!(envoy.metric("podstamp_pods", &[]), 2.0);
}

/// What the module says that it has, and what comes of that.
#[test]
fn the_module_asks_for_changes_and_for_all_pods_where_it_follows_another_podstamp() {
    let agent = FakeAgent::start();
    let (first, second) = (knowing(&[("web-1", "10.1.1.1")]), knowing(&[("web-1", "10.1.1.2")]));
    let (list, other) = (get(first.admin, "/pods?since=").1, get(second.admin, "/pods?since=").1);
    let version = |list: &str| list.split('\t').nth(2).unwrap().to_owned();
    let (known, next) = (version(&list), version(&other));
    assert_ne!(known, next);
    let answers = AtomicUsize::new(0);
    let source = Raw::answering(move |stream| {
        // Whatever is asked for: the list of one podstamp, then that of another.
        let text = if answers.fetch_add(1, Ordering::AcqRel) == 0 { &list } else { &other };
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}", text.len()).unwrap();
    });
    let Some(envoy) = Setup::to(&agent).asking(source.address).start() else { return };
    wait_until("the second list is there", || address_of("web-1", &envoy, &agent) == "10.1.1.2");
    assert_eq!(envoy.metric("podstamp_pods_failures_total", &[]), 0.0);
    for has in ["", &known, &next] {
        wait_until("it says what it has", || {
            let asked = source.received();
            asked.iter().any(|request| request.line.contains(&format!("&since={has} ")))
        });
    }
}

#[test]
fn a_source_that_fails_is_asked_again_and_what_it_says_is_told() {
    let agent = FakeAgent::start();
    let podstamp = knowing(&[("web-1", "10.1.1.1")]);
    let (_, list) = get(podstamp.admin, "/pods");
    let asked = AtomicUsize::new(0);
    let source = Raw::answering(move |stream| {
        let (status, text) = match asked.fetch_add(1, Ordering::AcqRel) {
            0 | 1 => ("503 Busy", "come again"),
            2 | 3 => ("200 OK", "<html>"),
            4 | 5 => ("200 OK", &list[..list.len() / 2]),
            _ => ("200 OK", &*list),
        };
        write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{text}", text.len()).unwrap();
    });
    let Some(envoy) = Setup::to(&agent).asking(source.address).start() else { return };
    envoy.wait_for_log(&["wasm", "pods-missing", "503: come again"]);
    assert_eq!(address_of("web-1", &envoy, &agent), super::POD, "exports do not wait for it");
    wait_until("the table is there", || address_of("web-1", &envoy, &agent) == "10.1.1.1");
    wait_until("all failures are counted", || envoy.metric("podstamp_pods_failures_total", &[]) == 6.0);
    let first = source.received().remove(0);
    assert!(first.line.starts_with("GET /pods?fields="), "{}", first.line);
    assert!(first.headers.contains(&("host".to_owned(), "podstamp".to_owned())));
}

#[test]
fn a_pod_takes_less_than_400_bytes() {
    const PODS: usize = 20_000;
    let agent = FakeAgent::start();
    let all: Vec<_> = (0..PODS)
        .map(|index| {
            // As a Deployment names them.
            let name = format!("service-{:03}-{:010x}-{:05x}", index / 100, index * 7919, index);
            (name, format!("10.2.{}.{}", index / 250, 1 + index % 250))
        })
        .collect();
    let pods: Vec<_> = all.iter().map(|(name, address)| (&**name, &**address)).collect();
    let podstamp = knowing(&pods);
    let Some(envoy) = Setup::to(&agent).asking(podstamp.admin).start() else { return };
    wait_until("all are there", || envoy.metric("podstamp_pods", &[]) == PODS as f64);
    let each = envoy.metric("podstamp_pods_bytes", &[]) / PODS as f64;
    assert!((40.0..=400.0).contains(&each), "{each} bytes a pod");
    for (name, address) in [pods[0], pods[PODS / 2], pods[PODS - 1]] {
        wait_until("the worker has them, too", || address_of(name, &envoy, &agent) == address);
    }
    assert_eq!(envoy.metric("podstamp_pods_failures_total", &[]), 0.0);
}
