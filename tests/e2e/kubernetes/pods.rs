//! What becomes of spans while their pods come, change and go.

use podstamp_test_support::api_server::{ApiServer, container_id, container_statuses};
use serde_json::json;

use super::watching::{UNKNOWN, Watching, within};

/// Seconds since 1970, and as Kubernetes writes it.
const LATER: (u64, &str) = (1_775_000_000, "2026-03-31T23:33:20Z");

#[test]
fn a_pod_is_stamped_once_it_has_an_address_and_follows_it() {
    let Some(server) = ApiServer::shared() else {
        return;
    };
    let shop = server.namespace();
    let there = shop.running("there-1", &shop.address(1));
    let watching = Watching::start(&shop.reader("podstamp").kube_config(), &within(&shop.name));
    watching.wait_for(&there.uid, &[&shop.address(1)]);
    assert_eq!(watching.stamped(&[("host.name", "there-1")]), shop.address(1));

    let pod = shop.pod("web-1").create();
    watching.wait_for(&pod.uid, &[]);
    assert_eq!(watching.stamped(&[("host.name", "web-1")]), UNKNOWN);
    pod.run(&[&shop.address(2)], &shop.node_address(1));
    watching.wait_for(&pod.uid, &[&shop.address(2)]);
    for attributes in [[("host.name", "web-1")], [("k8s.pod.uid", &*pod.uid)]] {
        assert_eq!(watching.stamped(&attributes), shop.address(2));
    }
    assert_eq!(watching.stamped_from(&shop.address(2), &[]), shop.address(2));
    // A sandbox that is made anew may have another address.
    pod.run(&[&shop.address(3)], &shop.node_address(1));
    watching.wait_for(&pod.uid, &[&shop.address(3)]);
    assert_eq!(watching.stamped(&[("host.name", "web-1")]), shop.address(3));
}

#[test]
fn a_deleted_pod_is_known_to_late_spans_and_then_forgotten() {
    let Some(server) = ApiServer::shared() else {
        return;
    };
    let shop = server.namespace();
    let (gracefully, at_once) =
        (shop.running("slow-1", &shop.address(1)), shop.running("quick-1", &shop.address(2)));
    let config = shop.reader("podstamp").kube_config();
    let patient = Watching::start(&config, &within(&shop.name));
    let impatient =
        Watching::start(&config, &format!("{}    pod_delete_grace_period: 1ms\n", within(&shop.name)));
    for watching in [&patient, &impatient] {
        watching.wait_for(&gracefully.uid, &[&shop.address(1)]);
        watching.wait_for(&at_once.uid, &[&shop.address(2)]);
    }
    gracefully.delete_gracefully();
    at_once.delete_now();
    // It serves while it shuts down.
    impatient.wait_until_gone(&at_once.uid);
    for watching in [&patient, &impatient] {
        assert_eq!(watching.stamped(&[("host.name", "slow-1")]), shop.address(1));
        assert_eq!(watching.stamped_from(&shop.address(1), &[]), shop.address(1));
    }
    gracefully.end("Succeeded");
    gracefully.delete_now();
    impatient.wait_until_gone(&gracefully.uid);
    for (pod, address) in [(&gracefully, shop.address(1)), (&at_once, shop.address(2))] {
        assert_eq!(patient.stamped(&[("k8s.pod.uid", &*pod.uid)]), address, "within the grace");
        assert_eq!(impatient.stamped(&[("k8s.pod.uid", &*pod.uid)]), UNKNOWN, "after the grace");
    }
}

#[test]
fn an_address_that_is_used_again_is_the_next_pods() {
    let Some(server) = ApiServer::shared() else {
        return;
    };
    let shop = server.namespace();
    let address = shop.address(7);
    let first = shop.running("first-1", &address);
    let watching = Watching::start(&shop.reader("podstamp").kube_config(), &within(&shop.name));
    watching.wait_for(&first.uid, &[&address]);
    first.delete_now();
    let second = shop.pod("second-1").create();
    second.run_since(&[&address], &shop.node_address(1), LATER.1);
    watching.wait_for(&second.uid, &[&address]);
    // By the connection, whatever is known of the first one.
    assert_eq!(name(&watching.written_from(&address)), Some("second-1".to_owned()));
    assert_eq!(watching.stamped(&[("k8s.pod.uid", &*second.uid)]), address);
    // The first pod's spans are its own only if they ended before the second pod began.
    assert_eq!(watching.stamped_late(&[("k8s.pod.uid", &*first.uid)], LATER.0 - 60), address);
    assert_eq!(watching.stamped_late(&[("k8s.pod.uid", &*first.uid)], LATER.0 + 60), UNKNOWN);
}

#[test]
fn of_two_pods_with_one_address_the_younger_has_it() {
    let Some(server) = ApiServer::shared() else {
        return;
    };
    let shop = server.namespace();
    let address = shop.address(7);
    // The kubelet of a node that was away has not told yet that its pod ended.
    let younger = shop.pod("younger-1").create();
    younger.run_since(&[&address], &shop.node_address(2), LATER.1);
    let older = shop.running("older-1", &address);
    let watching = Watching::start(&shop.reader("podstamp").kube_config(), &within(&shop.name));
    watching.wait_for(&older.uid, &[&address]);
    watching.wait_for(&younger.uid, &[&address]);
    assert_eq!(name(&watching.written_from(&address)), Some("younger-1".to_owned()));
    // Once the younger one ends, the address is the other's.
    younger.end("Failed");
    crate::served::wait_until("the older pod has the address", || {
        name(&watching.written_from(&address)) == Some("older-1".to_owned())
    });
}

#[test]
fn a_pod_that_ended_gives_its_address_up_and_a_stateful_sets_next_pod_has_its_name() {
    let Some(server) = ApiServer::shared() else {
        return;
    };
    let shop = server.namespace();
    let job = shop.running("job-1", &shop.address(1));
    let old = shop.running("cart-0", &shop.address(2));
    let watching = Watching::start(&shop.reader("podstamp").kube_config(), &within(&shop.name));
    watching.wait_for(&job.uid, &[&shop.address(1)]);
    job.end("Succeeded");
    let next = shop.pod("next-1").create();
    next.run_since(&[&shop.address(1)], &shop.node_address(1), LATER.1);
    watching.wait_for(&next.uid, &[&shop.address(1)]);
    assert_eq!(name(&watching.written_from(&shop.address(1))), Some("next-1".to_owned()));

    old.delete_now();
    let new = shop.pod("cart-0").create();
    new.run_since(&[&shop.address(3)], &shop.node_address(1), LATER.1);
    watching.wait_for(&new.uid, &[&shop.address(3)]);
    assert_eq!(watching.stamped(&[("host.name", "cart-0")]), shop.address(3));
    assert_eq!(watching.stamped(&[("k8s.pod.uid", &*old.uid)]), shop.address(2));
}

#[test]
fn a_pod_on_its_nodes_network_is_stamped_by_what_names_it_and_never_by_an_address() {
    let Some(server) = ApiServer::shared() else {
        return;
    };
    let shop = server.namespace();
    let node = shop.node_address(1);
    let proxy = shop.pod("proxy-1").host_network().create();
    proxy.run(&[&node], &node);
    proxy.containers_run(&[("app", &format!("containerd://{}", container_id(7)))]);
    let web = shop.running("web-1", &shop.address(1));
    let watching = Watching::start(&shop.reader("podstamp").kube_config(), &within(&shop.name));
    watching.wait_for(&web.uid, &[&shop.address(1)]);
    let container = container_id(7);
    for attributes in [("k8s.pod.uid", &*proxy.uid), ("host.name", "proxy-1"), ("container.id", &container)] {
        assert_eq!(watching.stamped(&[attributes]), node, "{attributes:?}");
    }
    assert_eq!(watching.stamped_from(&node, &[]), UNKNOWN);
    assert_eq!(watching.stamped(&[("k8s.pod.ip", &node)]), UNKNOWN);
    // What came by way of the node is another pod's, if it says so.
    assert_eq!(watching.stamped_from(&node, &[("host.name", "web-1")]), shop.address(1));
}

#[test]
fn a_pod_of_two_families_is_found_by_either_and_stamped_with_the_first() {
    let Some(server) = ApiServer::shared() else {
        return;
    };
    let shop = server.namespace();
    let addresses = [shop.address(1), shop.address_v6(1)];
    let pod = shop.pod("dual-1").create();
    pod.run(&[&addresses[0], &addresses[1]], &shop.node_address(1));
    let watching = Watching::start(&shop.reader("podstamp").kube_config(), &within(&shop.name));
    watching.wait_for(&pod.uid, &[&addresses[0], &addresses[1]]);
    assert_eq!(watching.stamped(&[("k8s.pod.uid", &*pod.uid)]), addresses[0]);
    for address in &addresses {
        assert_eq!(name(&watching.written_from(address)), Some("dual-1".to_owned()), "{address}");
    }
}

#[test]
fn a_container_leads_to_its_pod_where_nothing_was_injected_and_the_connection_is_the_nodes() {
    let Some(server) = ApiServer::shared() else {
        return;
    };
    let shop = server.namespace();
    let (app, init, debug) = (container_id(1), container_id(2), container_id(3));
    let web = shop.running("web-1", &shop.address(1));
    web.containers_run(&[("app", &format!("containerd://{app}"))]);
    let other = shop.running("other-1", &shop.address(2));
    other.containers_run(&[("app", &format!("cri-o://{}", container_id(4)))]);
    // Both documents: that of load balancers, and the simple one without any association.
    let config = shop.reader("podstamp").kube_config();
    let balancer = Watching::start(&config, &within(&shop.name));
    let simple = format!(
        "processors:\n  k8sattributes:\n    auth_type: kubeConfig\n    kube_config_path: {}\n{}service:\n  pipelines:\n    traces:\n      processors: [k8sattributes]\n",
        config.display(),
        within(&shop.name)
    );
    let simple = Watching::with(&simple, |setup| setup);
    simple.wait_until_ready();
    for watching in [&balancer, &simple] {
        watching.wait_for(&web.uid, &[&shop.address(1)]);
        for id in [app.clone(), format!("containerd://{app}")] {
            let stamped = watching.stamped_from(&shop.node_address(1), &[("container.id", &id)]);
            assert_eq!(stamped, shop.address(1), "{id}");
        }
        let stamped = watching.stamped_from(&shop.node_address(1), &[("container.id", &container_id(5))]);
        assert_eq!(stamped, UNKNOWN, "a container that no pod has");
    }
    web.status(&json!({
        "initContainerStatuses": container_statuses(&[("init", &format!("containerd://{init}"))]),
        "ephemeralContainerStatuses": container_statuses(&[("debug", &format!("containerd://{debug}"))]),
    }));
    for watching in [&balancer, &simple] {
        for id in [&init, &debug] {
            crate::served::wait_until("the other containers are known", || {
                watching.stamped_from(&shop.node_address(1), &[("container.id", id)]) == shop.address(1)
            });
        }
    }
}

#[test]
fn a_deployment_names_the_pods_of_its_replica_sets() {
    let Some(server) = ApiServer::shared() else {
        return;
    };
    let shop = server.namespace();
    let web = shop.pod("web-6d4cf8b9d7-x2x7k").label("pod-template-hash", "6d4cf8b9d7");
    let web = web.owner("ReplicaSet", "web-6d4cf8b9d7").create();
    web.run(&[&shop.address(1)], &shop.node_address(1));
    let cart = shop.pod("cart-0").owner("StatefulSet", "cart").create();
    cart.run(&[&shop.address(2)], &shop.node_address(1));
    let lines = format!(
        "{}    extract:\n      metadata: [k8s.pod.name, k8s.namespace.name, k8s.deployment.name, k8s.node.name]\n",
        within(&shop.name)
    );
    let config = shop.reader("podstamp").kube_config();
    let document = super::watching::document(&config, &lines).replace(
        "    extract:\n      metadata:\n        - k8s.pod.name\n        - k8s.pod.uid\n        - k8s.pod.ip\n",
        "",
    );
    let watching = Watching::with(&document, |setup| setup);
    watching.wait_until_ready();
    watching.wait_for(&web.uid, &[&shop.address(1)]);
    watching.wait_for(&cart.uid, &[&shop.address(2)]);
    let written = watching.written(&[("k8s.pod.uid", &*web.uid)]);
    let value = |key: &str| written.iter().find(|(other, _)| other == key).map(|(_, value)| value.as_str());
    assert_eq!(value("k8s.deployment.name"), Some("web"));
    assert_eq!((value("k8s.namespace.name"), value("k8s.node.name")), (Some(&*shop.name), Some("node-1")));
    let written = watching.written(&[("k8s.pod.uid", &*cart.uid)]);
    assert!(!written.iter().any(|(key, _)| key == "k8s.deployment.name"), "{written:?}");
}

/// The document has no processor at all: the guard's own rules find the pods, which its own section has podstamp watch.
#[test]
fn a_pipeline_without_k8sattributes_finds_pods_by_what_resources_say_of_them() {
    let Some(server) = ApiServer::shared() else {
        return;
    };
    let shop = server.namespace();
    let web = shop.running("web-1", &shop.address(1));
    web.containers_run(&[("app", &format!("containerd://{}", container_id(21)))]);
    let config = shop.reader("podstamp").kube_config();
    let watching =
        Watching::with("service:\n  pipelines:\n    traces:\n      processors: []\n", |mut setup| {
            setup.own += "  pods:\n    from: kubernetes\n";
            setup.variables = vec![("KUBECONFIG", config.display().to_string())];
            setup
        });
    watching.wait_until_ready();
    watching.wait_for(&web.uid, &[&shop.address(1)]);
    let node = shop.node_address(1);
    let container = container_id(21);
    let whole: [&[(&str, &str)]; 4] = [
        &[("container.id", &container)],
        &[("k8s.pod.uid", &web.uid)],
        &[("k8s.pod.name", "web-1"), ("k8s.namespace.name", &shop.name)],
        &[("host.name", "web-1"), ("k8s.namespace.name", &shop.name)],
    ];
    for attributes in whole {
        assert_eq!(watching.stamped_from(&node, attributes), shop.address(1), "{attributes:?}");
    }
    assert_eq!(watching.stamped_from(&node, &[]), UNKNOWN);
    // The whole cluster is known: who is none of its pods is nobody.
    assert_eq!(watching.stamped_from(&shop.address(99), &[]), UNKNOWN);
}

#[test]
fn pods_as_large_as_the_api_takes_them_are_pods_and_cost_the_others_nothing() {
    let Some(server) = ApiServer::shared() else {
        return;
    };
    let shop = server.namespace();
    let watching = Watching::start(&shop.reader("podstamp").kube_config(), &within(&shop.name));
    // A name's limit, of which the host name is cut at 63 characters.
    let longest = "a".repeat(253);
    let named = shop.running(&longest, &shop.address(1));
    watching.wait_for(&named.uid, &[&shop.address(1)]);
    assert_eq!(watching.stamped(&[("k8s.pod.name", &longest)]), shop.address(1));
    assert_eq!(watching.stamped(&[("host.name", &longest[..63])]), shop.address(1));

    let large = shop.running("large-1", &shop.address(2));
    // No other test has these.
    let numbers = 1_000_000..1_004_000;
    let ids: Vec<_> = numbers
        .clone()
        .map(|number| (format!("c{number}"), format!("containerd://{}", container_id(number))))
        .collect();
    let containers: Vec<_> = ids.iter().map(|(name, id)| (&**name, &**id)).collect();
    large.containers_run(&containers);
    let last = container_id(numbers.end - 1);
    crate::served::wait_until("the last container is known", || {
        watching.stamped(&[("container.id", &last)]) == shop.address(2)
    });
    assert_eq!(watching.stamped(&[("container.id", &container_id(numbers.start))]), shop.address(2));
    assert_eq!(watching.stamped(&[("k8s.pod.uid", &named.uid)]), shop.address(1));
}

/// The pod's name that was written.
fn name(written: &[(String, String)]) -> Option<String> {
    written.iter().find(|(key, _)| key == "k8s.pod.name").map(|(_, value)| value.clone())
}
