//! A cluster in which all is well: podstamp and deepflow-agent on two nodes, and a shop.

use std::path::PathBuf;

use podstamp::pods::kubernetes::Surroundings;
use podstamp_fake_agent::Agent;
use podstamp_test_support::kubernetes::ScriptedCluster;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::doctor::Doctor;
use crate::doctor::check::Check;
use crate::doctor::examination::examine;
use crate::doctor::finding::{Finding, State};
use crate::doctor::report::Report;
use crate::doctor::standpoint::Process;

/// The cluster, the agent of one of its nodes, and the admin listener of a podstamp.
pub(super) struct Shop {
    pub(super) cluster: ScriptedCluster,
    pub(super) agent: Agent,
    pub(super) admin: ScriptedCluster,
    pub(super) folder: TempDir,
}

/// A configuration as the chart has it.
pub(super) const CONFIG: &str = "\
processors:
  k8sattributes: {}
  resource: {attributes: [{key: app.host.ip, from_attribute: k8s.pod.ip, action: insert}]}
receivers: {otlp: {protocols: {http: {endpoint: '0.0.0.0:4318'}}}}
exporters: {otlphttp: {traces_endpoint: 'http://deepflow-agent.deepflow/api/v1/otel/trace'}}
service: {pipelines: {traces: {receivers: [otlp], processors: [k8sattributes, resource], exporters: [otlphttp]}}}
podstamp: {admin: {endpoint: '0.0.0.0:8888'}, pods: {from: kubernetes}}
";

impl Shop {
    pub(super) async fn open() -> Self {
        let (cluster, admin) = (ScriptedCluster::serve(), ScriptedCluster::serve());
        for (node, number) in [("n1", 1), ("n2", 2)] {
            cluster.apply(podstamp(node, number));
            cluster.apply(agent(node, number));
            cluster.apply(pod(
                "shop",
                &format!("web-{number}"),
                node,
                &format!("10.1.{number}.2"),
                json!({}),
            ));
        }
        let data = json!({"podstamp.yaml": CONFIG});
        cluster.apply(config_map("podstamp", "podstamp", data));
        cluster.apply(config_map(
            "deepflow",
            "deepflow-agent",
            json!({"deepflow-agent.yaml": "controller-ips:\n- deepflow-server\n"}),
        ));
        cluster.apply(service("Local", json!("receive")));
        cluster.apply(slice(&[("n1", true), ("n2", true)]));
        admin.say("/readyz", 200, "ready\n");
        admin.say(
            "/metrics",
            200,
            "podstamp_pods 6\npodstamp_pods_age_seconds 3\npodstamp_pods_connected 1\n# EOF\n",
        );
        admin.say("/peers", 200, r#"{"peers": [], "minutes": 10, "dropped": 0}"#);
        let agent = Agent::builder().listen(([127, 0, 0, 1], 0).into()).start().await.unwrap();
        Self { cluster, agent, admin, folder: TempDir::new().unwrap() }
    }

    /// From a laptop with ports forwarded.
    pub(super) fn options(&self) -> Doctor {
        Doctor {
            kubeconfig: Some(self.cluster.config()),
            agent: Some(self.agent.url()),
            admin: Some(format!("http://{}", self.admin.address())),
            ..Doctor::default()
        }
    }

    /// A file with a configuration, which asks the cluster's API by its kubeconfig.
    pub(super) fn file(&self, config: &str) -> PathBuf {
        let path = self.folder.path().join("podstamp.yaml");
        let access = format!(
            "k8sattributes: {{auth_type: kubeConfig, kube_config_path: {}",
            self.cluster.config().display()
        );
        std::fs::write(&path, config.replace("k8sattributes: {", &format!("{access}, ")).replace(", }", "}"))
            .unwrap();
        path
    }

    /// As in the pod of podstamp on node n1.
    pub(super) fn inside() -> Process {
        let surroundings = Surroundings {
            host: Some("127.0.0.1".to_owned()),
            port: Some("1".to_owned()),
            ..Surroundings::default()
        };
        Process { surroundings, namespace: Some("podstamp".to_owned()), pod: Some("podstamp-1".to_owned()) }
    }

    /// What the checks come to from a laptop.
    pub(super) async fn examine(&self) -> Findings {
        examined(&self.options(), &Process::default()).await
    }
}

/// What the checks came to.
pub(super) struct Findings(pub(super) Vec<(Check, Finding)>);

pub(super) async fn examined(options: &Doctor, process: &Process) -> Findings {
    let mut report = Report::new(|_, _| ());
    examine(options, process, &mut report).await;
    Findings(report.found().to_vec())
}

impl Findings {
    pub(super) fn of(&self, check: Check) -> &Finding {
        let found: Vec<_> = self.0.iter().filter(|(other, _)| *other == check).collect();
        let [(_, finding)] = found[..] else { panic!("{} stands {} times", check.id, found.len()) };
        finding
    }

    /// One check came to this, and says these words.
    pub(super) fn expect(&self, check: Check, state: State, words: &[&str]) {
        let finding = self.of(check);
        let text = format!("{finding:?}");
        assert_eq!(finding.state, state, "{}: {text}", check.id);
        for word in words {
            assert!(text.contains(word), "{word} is not in {text}");
        }
    }
}

pub(super) fn pod(namespace: &str, name: &str, node: &str, address: &str, labels: Value) -> Value {
    json!({
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels, "uid": format!("{name}-uid")},
        "spec": {"nodeName": node, "containers": [{"name": "main"}]},
        "status": {
            "phase": "Running", "podIP": address,
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    })
}

pub(super) fn podstamp(node: &str, number: u8) -> Value {
    let labels = json!({"app.kubernetes.io/name": "podstamp"});
    let mut pod = pod("podstamp", &format!("podstamp-{number}"), node, &format!("10.1.{number}.9"), labels);
    pod["spec"] = json!({
        "nodeName": node,
        "serviceAccountName": "podstamp",
        "containers": [{
            "name": "podstamp",
            "args": ["serve", "--config", "/etc/podstamp/podstamp.yaml"],
            "volumeMounts": [{"name": "config", "mountPath": "/etc/podstamp"}],
        }],
        "volumes": [{"name": "config", "configMap": {"name": "podstamp"}}],
    });
    pod
}

pub(super) fn agent(node: &str, number: u8) -> Value {
    let labels = json!({"app": "deepflow", "component": "deepflow-agent"});
    let mut pod =
        pod("deepflow", &format!("deepflow-agent-{number}"), node, &format!("10.1.{number}.8"), labels);
    pod["spec"]["volumes"] = json!([
        {"name": "deepflow-agent-conf", "configMap": {"name": "deepflow-agent"}},
        {"name": "token", "projected": {"sources": []}},
    ]);
    pod
}

pub(super) fn config_map(namespace: &str, name: &str, data: Value) -> Value {
    json!({"kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": data})
}

/// The agent's Service.
pub(super) fn service(policy: &str, target: Value) -> Value {
    let labels = json!({"app": "deepflow", "component": "deepflow-agent"});
    json!({
        "kind": "Service",
        "metadata": {"name": "deepflow-agent", "namespace": "deepflow", "labels": labels},
        "spec": {
            "type": "ClusterIP", "internalTrafficPolicy": policy, "selector": labels,
            "ports": [{"name": "receive", "port": 80, "targetPort": target, "protocol": "TCP"}],
        },
    })
}

/// What is behind it, by node.
pub(super) fn slice(nodes: &[(&str, bool)]) -> Value {
    let endpoints: Vec<_> = nodes
        .iter()
        .map(|(node, ready)| {
            json!({
                "addresses": ["10.1.1.8"], "conditions": {"ready": ready}, "nodeName": node,
                "targetRef": {"kind": "Pod", "name": format!("deepflow-agent-{node}")},
            })
        })
        .collect();
    json!({
        "kind": "EndpointSlice",
        "metadata": {
            "name": "deepflow-agent-x", "namespace": "deepflow",
            "labels": {"kubernetes.io/service-name": "deepflow-agent"},
        },
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": [{"name": "receive", "port": 38086, "protocol": "TCP"}],
    })
}
