//! What the chart renders hangs together, and podstamp takes its own configuration.

use std::collections::BTreeSet;

use podstamp_core::config::{self, Config};
use serde_json::{Map, Value, json};

use super::{CASES, Helm, check_configurations, container, documents, name, of_kind, workloads};

/// Each case by its name, with its documents; none without Helm.
fn rendered() -> Vec<(&'static str, Vec<Value>)> {
    let Some(helm) = Helm::new() else { return Vec::new() };
    CASES.iter().map(|case| (*case, documents(&helm.render(case)))).collect()
}

/// The configuration that the pods of a workload read.
fn document<'d>(documents: &'d [Value], workload: &Value) -> &'d str {
    let volumes = workload["spec"]["template"]["spec"]["volumes"].as_array().unwrap();
    let volume = volumes.iter().find(|volume| volume["name"] == "config").unwrap();
    let maps = of_kind(documents, "ConfigMap");
    let map = maps.iter().find(|map| map["metadata"]["name"] == volume["configMap"]["name"]).unwrap();
    let mounts = container(workload)["volumeMounts"].as_array().unwrap();
    let mount = mounts.iter().find(|mount| mount["name"] == "config").unwrap();
    let file = format!("--config={}/podstamp.yaml", mount["mountPath"].as_str().unwrap());
    assert!(container(workload)["args"].as_array().unwrap().contains(&json!(file)));
    map["data"]["podstamp.yaml"].as_str().unwrap()
}

fn read(document: &str) -> Config {
    let loaded = podstamp::config::parse(document, &|_| Some("node-1".to_owned())).unwrap();
    config::parse(&loaded.document).unwrap()
}

#[test]
fn podstamp_takes_every_configuration_without_a_warning() {
    for (case, documents) in rendered() {
        assert_eq!(of_kind(&documents, "ConfigMap").len(), workloads(&documents).len(), "{case}");
        check_configurations(case, &documents);
    }
}

#[test]
fn pods_listen_where_their_ports_are_and_have_the_time_to_drain() {
    for (case, documents) in rendered() {
        for workload in workloads(&documents) {
            let config = read(document(&documents, workload));
            let (http, grpc) =
                (config.receiver.http.as_ref().unwrap(), config.receiver.grpc.as_ref().unwrap());
            let listeners = [&grpc.endpoint, &http.endpoint, &config.admin.as_ref().unwrap().endpoint];
            // A loopback address is for nobody else.
            let outside = listeners.into_iter().filter(|endpoint| !endpoint.starts_with("127."));
            let expected: Vec<_> =
                outside.map(|endpoint| endpoint.rsplit_once(':').unwrap().1.to_owned()).collect();
            let ports = container(workload)["ports"].as_array().unwrap();
            let ports: Vec<_> = ports.iter().map(|port| port["containerPort"].to_string()).collect();
            assert_eq!(ports, expected, "{case}, {}", name(workload));
            let grace = &workload["spec"]["template"]["spec"]["terminationGracePeriodSeconds"];
            let (grace, drain) = (grace.as_u64().unwrap() * 1000, config.limits.drain_timeout);
            assert!(grace > drain.into() && drain > config.drain_delay, "{case}");
        }
    }
}

/// Whether labels have all that a selector asks for.
fn matches(selector: &Value, labels: &Value) -> bool {
    selector.as_object().unwrap().iter().all(|(key, value)| labels[key] == *value)
}

fn labels(workload: &Value) -> &Value {
    &workload["spec"]["template"]["metadata"]["labels"]
}

#[test]
fn selectors_lead_to_pods_and_ports_to_containers() {
    for (case, documents) in rendered() {
        let all = workloads(&documents);
        for workload in &all {
            // Each selects its own pods alone.
            let selected: Vec<_> = all
                .iter()
                .filter(|other| matches(&workload["spec"]["selector"]["matchLabels"], labels(other)))
                .collect();
            assert_eq!(selected, [workload], "{case}");
        }
        for service in of_kind(&documents, "Service") {
            let selector = &service["spec"]["selector"];
            if *selector == json!({"app": "deepflow", "component": "deepflow-agent"}) {
                assert_eq!(service["spec"]["internalTrafficPolicy"], "Local");
                continue;
            }
            let selected: Vec<_> =
                all.iter().filter(|workload| matches(selector, labels(workload))).collect();
            assert!(!selected.is_empty(), "{case}, {}", name(service));
            for port in service["spec"]["ports"].as_array().unwrap() {
                for workload in &selected {
                    let ports = container(workload)["ports"].as_array().unwrap();
                    let found = ports.iter().find(|there| there["name"] == port["targetPort"]).unwrap();
                    assert_eq!(found["containerPort"], port["port"], "{case}, {}", name(service));
                }
            }
        }
        for budget in of_kind(&documents, "PodDisruptionBudget") {
            let selector = &budget["spec"]["selector"]["matchLabels"];
            assert_eq!(
                all.iter().filter(|workload| matches(selector, labels(workload))).count(),
                1,
                "{case}"
            );
        }
        for policy in of_kind(&documents, "NetworkPolicy") {
            let selector = &policy["spec"]["podSelector"]["matchLabels"];
            assert!(all.iter().all(|workload| matches(selector, labels(workload))), "{case}");
        }
        for scaler in of_kind(&documents, "HorizontalPodAutoscaler") {
            let target = &scaler["spec"]["scaleTargetRef"];
            let scaled = all.iter().find(|workload| workload["metadata"]["name"] == target["name"]).unwrap();
            assert_eq!(
                (&scaled["kind"], &scaled["spec"]["replicas"]),
                (&target["kind"], &Value::Null),
                "{case}"
            );
        }
    }
}

/// Services that a configuration sends to or has its pods from are there, in the same namespace.
#[test]
fn what_a_configuration_names_in_the_release_is_there() {
    for (case, documents) in rendered() {
        let services: BTreeSet<_> = of_kind(&documents, "Service").into_iter().map(name).collect();
        for workload in workloads(&documents) {
            let document = document(&documents, workload);
            let urls =
                document.split("http://").skip(1).map(|rest| rest.split(['/', ':', '\n']).next().unwrap());
            for host in urls {
                let (service, namespace) = host.split_once('.').unwrap();
                assert_eq!(namespace, "deepflow", "{case}");
                let is_agents = service == "deepflow-agent";
                assert!(is_agents || services.contains(service), "{case}, {}: {host}", name(workload));
            }
        }
    }
}

#[test]
fn a_token_and_its_rights_are_there_for_pods_that_watch_and_for_nothing_else() {
    for (case, documents) in rendered() {
        let mut watch = false;
        for workload in workloads(&documents) {
            let document: Value = serde_saphyr::from_str(document(&documents, workload)).unwrap();
            let watches = document["podstamp"]["pods"]["from"] == "kubernetes";
            let spec = &workload["spec"]["template"]["spec"];
            assert_eq!(spec["automountServiceAccountToken"], watches, "{case}, {}", name(workload));
            let accounts = of_kind(&documents, "ServiceAccount");
            assert!(accounts.iter().any(|account| account["metadata"]["name"] == spec["serviceAccountName"]));
            watch |= watches;
        }
        let roles = [of_kind(&documents, "ClusterRole"), of_kind(&documents, "Role")].concat();
        let granted = watch && case != "own-pipeline";
        assert_eq!(roles.len(), usize::from(granted), "{case}");
        for role in roles {
            let rules =
                json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]);
            assert_eq!(role["rules"], rules, "{case}");
            let kind = format!("{}Binding", role["kind"].as_str().unwrap());
            let binding = of_kind(&documents, &kind)[0];
            assert_eq!(
                (&binding["roleRef"]["kind"], &binding["roleRef"]["name"]),
                (&role["kind"], &role["metadata"]["name"])
            );
            assert_eq!(binding["metadata"]["namespace"], role["metadata"]["namespace"]);
        }
        assert_eq!(of_kind(&documents, "Role").len(), usize::from(case == "everything"), "{case}");
    }
}

/// As a document reads: sections by name, each a map.
fn section<'d>(document: &'d Value, path: &str) -> Option<&'d Map<String, Value>> {
    document.pointer(path).and_then(Value::as_object)
}

#[test]
fn an_agent_watches_its_node_a_namespace_is_kept_to_and_a_pipeline_of_ones_own_stands_alone() {
    for (case, documents) in rendered() {
        for workload in workloads(&documents) {
            let document: Value = serde_saphyr::from_str(document(&documents, workload)).unwrap();
            let of_agent = workload["kind"] == "DaemonSet";
            let processors = section(&document, "/processors").unwrap();
            let (id, processor) = processors.iter().find(|(id, _)| id.starts_with("k8s")).unwrap();
            let filter = &processor["filter"];
            match case {
                "agent" => assert_eq!(*filter, json!({"node_from_env_var": "NODE_NAME"})),
                "everything" if of_agent => {
                    assert_eq!(*filter, json!({"node_from_env_var": "NODE_NAME", "namespace": "shop"}));
                }
                "everything" => assert_eq!(*filter, json!({"namespace": "shop"})),
                "own-pipeline" => {
                    assert_eq!((&**id, filter), ("k8s_attributes/shop", &json!({"node": "node-1"})));
                    assert_eq!(processors.len(), 3, "{processors:?}");
                }
                _ => assert_eq!(*filter, Value::Null, "{case}, {}", name(workload)),
            }
        }
    }
}
