//! `podstamp doctor` against a real API server, from a laptop and with podstamp's own rights.

use std::path::Path;

use podstamp_fake_agent::Script;
use podstamp_test_support::api_server::{ApiServer, Namespace};
use podstamp_test_support::authority::Authority;
use podstamp_test_support::wait_until;
use serde_json::{Value, json};

use crate::fake_agent::FakeAgent;
use crate::served::podstamp;

/// podstamp and deepflow-agent on two nodes, in a namespace of their own.
struct Installed<'s> {
    server: &'s ApiServer,
    shop: Namespace<'s>,
    agent: FakeAgent,
}

impl Installed<'static> {
    fn start() -> Option<Self> {
        let server = ApiServer::shared()?;
        let installed = Self { server, shop: server.namespace(), agent: FakeAgent::start() };
        let shop = &installed.shop;
        server.service_account(&shop.name, "podstamp");
        installed.create("configmaps", &installed.config_map());
        let settings = json!({"deepflow-agent.yaml": "controller-ips:\n- deepflow-server\n"});
        installed.create("configmaps", &json!({"metadata": {"name": "deepflow-agent"}, "data": settings}));
        for number in [1, 2] {
            let node = format!("node-{number}");
            let podstamp = shop.pod(&format!("podstamp-{number}")).node(&node);
            let podstamp = podstamp.label("app.kubernetes.io/name", "podstamp").with(|pod| {
                let container = &mut pod["spec"]["containers"][0];
                container["args"] = json!(["serve", "--config", "/etc/podstamp/podstamp.yaml"]);
                container["volumeMounts"] = json!([{"name": "config", "mountPath": "/etc/podstamp"}]);
                pod["spec"]["volumes"] = json!([{"name": "config", "configMap": {"name": "podstamp"}}]);
                pod["spec"]["serviceAccountName"] = "podstamp".into();
            });
            let agent = shop
                .pod(&format!("deepflow-agent-{number}"))
                .node(&node)
                .label("app", "deepflow")
                .label("component", "deepflow-agent");
            let agent = agent.with(|pod| {
                pod["spec"]["volumes"] = json!([{"name": "conf", "configMap": {"name": "deepflow-agent"}}]);
            });
            for (host, pod) in [(number, podstamp), (number + 10, agent)] {
                let pod = pod.create();
                pod.run(&[&shop.address(host)], &shop.node_address(number));
                pod.status(&json!({"conditions": [{"type": "Ready", "status": "True"}]}));
            }
        }
        installed.create(
            "services",
            &json!({
                "metadata": {"name": "deepflow-agent"},
                "spec": {
                    "selector": {"component": "deepflow-agent"}, "internalTrafficPolicy": "Local",
                    "ports": [{"name": "receive", "port": 80, "targetPort": 38086}],
                },
            }),
        );
        let endpoint = |number: u8| {
            json!({
                "addresses": [shop.address(number + 10)], "conditions": {"ready": true}, "nodeName": format!("node-{number}"),
            })
        };
        let slice = json!({
            "metadata": {"name": "deepflow-agent-x", "labels": {"kubernetes.io/service-name": "deepflow-agent"}},
            "addressType": "IPv4",
            "endpoints": [endpoint(1), endpoint(2)],
            "ports": [{"name": "receive", "port": 38086, "protocol": "TCP"}],
        });
        server.create(&format!("/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices", shop.name), &slice);
        Some(installed)
    }

    fn create(&self, kind: &str, object: &Value) {
        self.server.create(&format!("/api/v1/namespaces/{}/{kind}", self.shop.name), object);
    }

    fn service(&self) -> String {
        format!("/api/v1/namespaces/{}/services/deepflow-agent", self.shop.name)
    }

    fn config_map(&self) -> Value {
        let url = format!("http://deepflow-agent.{}/api/v1/otel/trace", self.shop.name);
        let text = format!(
            "processors: {{k8sattributes: {{}}}}\n\
             receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '0.0.0.0:4317'}}}}}}}}\n\
             exporters: {{otlphttp: {{traces_endpoint: '{url}'}}}}\n\
             service: {{pipelines: {{traces: {{receivers: [otlp], processors: [k8sattributes], exporters: [otlphttp]}}}}}}\n"
        );
        json!({"metadata": {"name": "podstamp"}, "data": {"podstamp.yaml": text}})
    }

    /// Exit code and report, with the agent's port forwarded.
    fn doctor(&self, config: &Path) -> (i32, Value) {
        self.doctor_with(config, &["--agent", &self.agent.url()])
    }

    fn doctor_with(&self, config: &Path, more: &[&str]) -> (i32, Value) {
        let mut arguments =
            vec!["doctor", "--output", "json", "--namespace", &self.shop.name, "--kubeconfig"];
        arguments.push(config.to_str().unwrap());
        arguments.extend(more);
        let output = podstamp([]).args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said, "");
        let report = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code().unwrap(), report)
    }
}

fn check<'r>(report: &'r Value, id: &str) -> &'r Value {
    report["checks"].as_array().unwrap().iter().find(|check| check["check"] == id).unwrap()
}

/// Checks that came to something else than they should.
fn assert_states(report: &Value, expected: &[(&str, &str)]) {
    for (id, state) in expected {
        assert_eq!(check(report, id)["state"], *state, "{:#}", check(report, id));
    }
}

#[test]
fn all_is_well_from_a_laptop_and_each_thing_that_is_not_is_found() {
    let Some(installed) = Installed::start() else {
        return;
    };
    let server = installed.server;
    let laptop = server.admin_config();

    // podstamp's account has no rights yet; whoever asks may do everything.
    let (code, report) = installed.doctor(&laptop);
    assert_eq!(code, 69, "{report:#}");
    assert_states(
        &report,
        &[("api", "ok"), ("credentials", "ok"), ("permissions", "failed"), ("pods", "ok")],
    );
    let account = format!("system:serviceaccount:{}:podstamp", installed.shop.name);
    let permissions = check(&report, "permissions");
    let told = permissions["summary"].as_str().unwrap();
    assert_eq!(told, format!("{account} may not get, list, watch pods in all namespaces"));
    assert!(permissions["commands"][1].as_str().unwrap().ends_with(":podstamp"), "{permissions}");

    let path = "/apis/rbac.authorization.k8s.io/v1";
    let role = format!("doctor-{}", installed.shop.name);
    let rules = json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]);
    server.create(&format!("{path}/clusterroles"), &json!({"metadata": {"name": role}, "rules": rules}));
    let binding = json!({
        "metadata": {"name": role},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "namespace": installed.shop.name, "name": "podstamp"}],
    });
    server.create(&format!("{path}/clusterrolebindings"), &binding);
    wait_until("the rights are in force", || {
        check(&installed.doctor_with(&laptop, &[]).1, "permissions")["state"] == "ok"
    });
    let (code, report) = installed.doctor(&laptop);
    assert_eq!((code, &report["result"]), (0, &json!("ok")), "{report:#}");
    assert_states(
        &report,
        &[
            ("configuration", "ok"),
            ("pods-source", "ok"),
            ("agent-service", "ok"),
            ("agent-settings", "ok"),
            ("agent-port", "ok"),
            ("agent-endpoints", "ok"),
            ("agent-traffic-policy", "ok"),
            ("agent-nodes", "ok"),
            ("agent", "ok"),
            ("clock-api", "ok"),
            ("clock-agent", "ok"),
            ("ready", "skipped"),
            ("span", "ok"),
        ],
    );
    installed.agent.wait_for_spans(1);

    let wrong = json!({"spec": {"ports": [{"name": "receive", "port": 80, "targetPort": 4317}]}});
    server.patch(&installed.service(), &wrong);
    let (code, report) = installed.doctor_with(&laptop, &[]);
    assert_eq!(code, 69);
    assert_states(&report, &[("agent-port", "failed"), ("agent", "skipped"), ("span", "skipped")]);
    let told = check(&report, "agent-port")["summary"].as_str().unwrap();
    assert!(told.starts_with("80 leads to 4317, and the agent's integration listens on 38086"), "{told}");

    installed.agent.agent().play_always(Script::Disabled);
    let (code, report) = installed.doctor(&laptop);
    assert_eq!(code, 69);
    assert_states(&report, &[("agent", "failed"), ("span", "skipped")]);

    server.delete(&installed.service());
    let (code, report) = installed.doctor(&laptop);
    assert_eq!(code, 69);
    assert_states(
        &report,
        &[("agent-service", "failed"), ("agent-port", "skipped"), ("agent-nodes", "skipped")],
    );
}

/// It may read pods, the agent's too, and nothing of what the checks of the agent's Service need.
#[test]
fn podstamps_own_account_sees_pods_and_what_it_may_not_see_is_skipped() {
    let Some(installed) = Installed::start() else {
        return;
    };
    let account = installed.shop.reader("reader");
    let (code, report) = installed.doctor(&account.kube_config());
    assert_eq!(code, 0, "{report:#}");
    assert_states(
        &report,
        &[
            ("api", "ok"),
            ("credentials", "ok"),
            ("permissions", "ok"),
            ("pods", "ok"),
            ("configuration", "skipped"),
            ("agent-service", "skipped"),
            // Their pods are known by DeepFlow's labels.
            ("agent-nodes", "ok"),
            ("agent", "ok"),
        ],
    );
    let told = check(&report, "permissions");
    assert!(told["summary"].as_str().unwrap().starts_with(&account.user()), "{told}");
    account.revoke();
    let (code, report) = installed.doctor(&account.kube_config());
    assert_eq!(code, 69);
    assert_states(&report, &[("permissions", "failed"), ("pods", "skipped")]);
}

#[test]
fn faults_of_tls_and_credentials_are_told_apart() {
    let Some(installed) = Installed::start() else {
        return;
    };
    let server = installed.server;
    let laptop = server.admin_config();
    let config = std::fs::read_to_string(&laptop).unwrap();
    let with = |from: &str, to: &str| {
        assert!(config.contains(from), "{config}");
        let file = server.folder().join(format!("changed-{}", installed.shop.name));
        std::fs::write(&file, config.replace(from, to)).unwrap();
        let (code, report) = installed.doctor(&file);
        (code, check(&report, "api").clone(), check(&report, "credentials").clone())
    };
    let other = Authority::new("another cluster");
    let authority = server.authority_file();
    let (code, api, credentials) = with(authority.to_str().unwrap(), other.file().to_str().unwrap());
    let told = api["summary"].as_str().unwrap();
    assert!(told.contains("cannot be trusted") && told.contains("another authority"), "{told}");
    assert_eq!((code, &credentials["state"]), (69, &json!("skipped")));

    let expired = server.relay_with(&server.authority().certify_in_the_past("expired", "127.0.0.1"));
    let (code, api, _) = with(&server.address().to_string(), &expired.address().to_string());
    let told = api["summary"].as_str().unwrap();
    assert!(code == 69 && told.contains("cannot be trusted: its certificate has expired"), "{told}");
    let renamed = server.relay_with(&server.authority().certify("renamed", "another.example"));
    let (code, api, _) = with(&server.address().to_string(), &renamed.address().to_string());
    let told = api["summary"].as_str().unwrap();
    assert!(code == 69 && told.contains("its certificate is for another name"), "{told}");

    let (code, api, credentials) = with(podstamp_test_support::api_server::ADMIN_TOKEN, "worn-out");
    assert_eq!((code, &api["state"], &credentials["state"]), (69, &json!("ok"), &json!("failed")), "{api}");
    assert!(credentials["summary"].as_str().unwrap().contains("are not accepted (401"), "{credentials}");

    let agent = installed.agent.agent().address().to_string();
    let (code, api, _) = with(&format!("https://{}", server.address()), &format!("http://{agent}"));
    let told = api["summary"].as_str().unwrap();
    assert!(code == 69 && told.contains("is no Kubernetes API server: GET /version gave 404"), "{told}");
}
