//! The API server goes away, comes back, cuts connections, or is an older one.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use podstamp_test_support::api_server::{ADMIN_TOKEN, ApiServer};
use podstamp_test_support::blocking::http::{Client, PROTOBUF};
use serde_json::json;

use super::watching::{NOW, UNKNOWN, Watching, request, within};
use crate::served::wait_until;

#[test]
fn a_server_that_is_killed_and_comes_back_under_load_costs_no_span_and_no_wrong_address() {
    let Some(server) = ApiServer::start() else {
        return;
    };
    let shop = server.namespace();
    let pods: Vec<_> =
        (1..=8).map(|number| shop.running(&format!("web-{number}"), &shop.address(number))).collect();
    let watching = Watching::start(&shop.reader("podstamp").kube_config(), "");
    for (pod, number) in pods.iter().zip(1..) {
        watching.wait_for(&pod.uid, &[&shop.address(number)]);
    }
    let (stop, sent) = (AtomicBool::new(false), AtomicUsize::new(0));
    // The first pod is replaced at the end of it.
    let load = || {
        let mut client = Client::connect(watching.served.address);
        while !stop.load(Ordering::Acquire) {
            for pod in &pods[1..] {
                let uid = [("service.name", &*pod.name), ("k8s.pod.uid", &*pod.uid)];
                let name = [("service.name", &*pod.name), ("host.name", &*pod.name)];
                let body = request(&[&uid, &name], NOW);
                let response = client.send("POST", "/v1/traces", &[PROTOBUF], &body);
                assert_eq!(response.status, 200, "{}", response.message());
                sent.fetch_add(2, Ordering::AcqRel);
            }
        }
    };
    let next = std::thread::scope(|scope| {
        let workers = [scope.spawn(load), scope.spawn(load)];
        let mut next = None;
        for round in 0..2 {
            let before = sent.load(Ordering::Acquire);
            server.kill();
            wait_until("spans are served without the API server", || {
                sent.load(Ordering::Acquire) > before + 200
            });
            assert_eq!(watching.readiness().0, 200);
            server.start_again();
            if round == 1 {
                pods[0].delete_now();
                let pod = shop.running("next-1", &shop.address(1));
                watching.wait_for(&pod.uid, &[&shop.address(1)]);
                next = Some(pod);
            }
        }
        stop.store(true, Ordering::Release);
        workers.into_iter().for_each(|worker| worker.join().unwrap());
        next
    });
    let totals = watching.agent.agent().totals();
    assert_eq!(totals.spans, sent.load(Ordering::Acquire) as u64);
    for (service, address) in watching.agent.placed() {
        let number: u8 = service.rsplit('-').next().unwrap().parse().unwrap();
        assert_eq!(address, shop.address(number), "{service}");
    }
    assert_eq!(watching.stamped(&[("k8s.pod.uid", &*next.unwrap().uid)]), shop.address(1));
}

/// The version from which a client would resume is one that a new server's cache does not reach, since the last change was
/// outside of what the client hears of.
#[test]
fn a_version_that_is_too_old_is_followed_by_a_new_list() {
    let Some(server) = ApiServer::start() else {
        return;
    };
    let (shop, elsewhere) = (server.namespace(), server.namespace());
    let other = elsewhere.running("other-1", &elsewhere.address(1));
    let [stays, goes] = [1, 2].map(|number| shop.running(&format!("web-{number}"), &shop.address(number)));
    let relay = server.relay();
    let account = shop.reader("podstamp");
    let watching =
        Watching::start(&relay.kube_config(&json!({"token": account.token()})), &within(&shop.name));
    watching.wait_for(&goes.uid, &[&shop.address(2)]);
    relay.leave();
    goes.delete_now();
    let comes = shop.running("web-3", &shop.address(3));
    other.patch(&json!({"metadata": {"labels": {"changed": "yes"}}}));
    server.kill();
    server.start_again();
    relay.return_again();
    watching.wait_for(&comes.uid, &[&shop.address(3)]);
    watching.wait_for(&stays.uid, &[&shop.address(1)]);
    let asked = relay.requests();
    assert!(
        asked.iter().all(|request| request.contains(&format!("/namespaces/{}/pods", shop.name))),
        "{asked:?}"
    );
    assert_eq!(watching.stamped(&[("k8s.pod.uid", &*stays.uid)]), shop.address(1));
    assert_eq!(watching.stamped(&[("k8s.pod.uid", &*comes.uid)]), shop.address(3));
    // Gone while nobody told of it: its address is the next pod's at once.
    let next = shop.pod("next-1").create();
    next.run_since(&[&shop.address(2)], &shop.node_address(1), "2026-03-31T23:33:20Z");
    watching.wait_for(&next.uid, &[&shop.address(2)]);
    assert_eq!(watching.stamped(&[("k8s.pod.uid", &*next.uid)]), shop.address(2));
    assert_eq!(watching.stamped(&[("k8s.pod.uid", &*goes.uid)]), UNKNOWN);
}

#[test]
fn a_watch_that_is_cut_in_an_event_hears_of_it_again() {
    let Some(server) = ApiServer::shared() else {
        return;
    };
    let shop = server.namespace();
    let first = shop.running("first-1", &shop.address(1));
    let relay = server.relay();
    let account = shop.reader("podstamp");
    let watching =
        Watching::start(&relay.kube_config(&json!({"token": account.token()})), &within(&shop.name));
    watching.wait_for(&first.uid, &[&shop.address(1)]);
    for number in 2..=4 {
        // Within the object, after its name and ahead of its addresses.
        let name = format!("cut-{number}");
        relay.cut_after(&name);
        let pod = shop.running(&name, &shop.address(number));
        wait_until("the watch is cut", || relay.cuts() == usize::from(number) - 1);
        watching.wait_for(&pod.uid, &[&shop.address(number)]);
        assert_eq!(watching.stamped(&[("host.name", &name)]), shop.address(number));
    }
    assert_eq!(watching.stamped(&[("host.name", "first-1")]), shop.address(1));
    let asked = relay.requests();
    let watches = asked.iter().filter(|request| request.contains("watch=")).count();
    assert!((4..=12).contains(&watches), "{asked:#?}");
}

/// The table of before is kept, and the clients with it.
#[test]
fn a_server_that_no_longer_answers_leaves_the_table_as_it_was() {
    let Some(server) = ApiServer::start() else {
        return;
    };
    let shop = server.namespace();
    let pod = shop.running("web-1", &shop.address(1));
    let watching = Watching::start(&shop.reader("podstamp").kube_config(), &within(&shop.name));
    watching.wait_for(&pod.uid, &[&shop.address(1)]);
    server.freeze();
    for _ in 0..20 {
        assert_eq!(watching.stamped(&[("host.name", "web-1")]), shop.address(1));
    }
    assert_eq!(watching.readiness().0, 200);
    server.thaw();
    let later = shop.running("web-2", &shop.address(2));
    watching.wait_for(&later.uid, &[&shop.address(2)]);
}

/// A restored backup, or another cluster behind the same name: versions begin anew.
#[test]
fn a_server_that_comes_back_with_other_pods_is_believed() {
    let Some(server) = ApiServer::start() else {
        return;
    };
    let shop = server.namespace();
    let old = shop.running("web-1", &shop.address(1));
    for number in 2..20 {
        shop.running(&format!("web-{number}"), &shop.address(number));
    }
    let config = server.kube_config(&json!({"token": ADMIN_TOKEN}));
    let watching = Watching::start(&config, "    watch_sync_period: 2s\n");
    watching.wait_for(&old.uid, &[&shop.address(1)]);
    server.kill();
    server.start_anew();
    let other = server.namespace();
    let new = other.running("web-1", &shop.address(1));
    watching.wait_for(&new.uid, &[&shop.address(1)]);
    assert_eq!(watching.stamped(&[("k8s.pod.uid", &*new.uid)]), shop.address(1));
}

#[test]
fn servers_without_streaming_lists_and_old_ones_do() {
    for flag in ["--feature-gates=WatchList=false", "--emulated-version=1.34"] {
        let Some(server) = ApiServer::with(&[flag]) else {
            return;
        };
        let shop = server.namespace();
        let relay = server.relay();
        // More than a page of a list.
        let pods: Vec<_> =
            (1..=20).map(|number| shop.running(&format!("web-{number}"), &shop.address(number))).collect();
        let account = shop.reader("podstamp");
        let config = relay.kube_config(&json!({"token": account.token()}));
        let watching = Watching::start(&config, &within(&shop.name));
        for (pod, number) in pods.iter().zip(1..) {
            watching.wait_for(&pod.uid, &[&shop.address(number)]);
        }
        let later = shop.running("later-1", &shop.address(99));
        watching.wait_for(&later.uid, &[&shop.address(99)]);
        pods[0].delete_now();
        let next = shop.pod("next-1").create();
        next.run_since(&[&shop.address(1)], &shop.node_address(1), "2026-03-31T23:33:20Z");
        watching.wait_for(&next.uid, &[&shop.address(1)]);
        assert_eq!(watching.stamped(&[("k8s.pod.uid", &*next.uid)]), shop.address(1), "{flag}");
        let asked = relay.requests();
        assert!(asked.len() < 8, "{flag}: {asked:#?}");
    }
}
