//! A real API server takes what is rendered: field by field, into a namespace that lets restricted pods in alone, and by a real
//! `helm install`.

use podstamp_test_support::api_server::ApiServer;
use serde_json::{Value, json};

use super::{CASES, Helm, chart, container, documents, manifest, name, of_kind, text, values, workloads};

/// Kinds that come from the Prometheus operator: the server does not know them.
const FOREIGN: [&str; 2] = ["PrometheusRule", "ServiceMonitor"];

/// The collection that an object belongs into.
fn collection(object: &Value) -> String {
    let version = object["apiVersion"].as_str().unwrap();
    let root = if version.contains('/') { format!("/apis/{version}") } else { format!("/api/{version}") };
    let kind = object["kind"].as_str().unwrap().to_lowercase();
    let plural = kind.strip_suffix('y').map_or(format!("{kind}s"), |stem| format!("{stem}ies"));
    match object["metadata"]["namespace"].as_str() {
        Some(namespace) => format!("{root}/namespaces/{namespace}/{plural}"),
        None => format!("{root}/{plural}"),
    }
}

/// Tries to create it, with every unknown field and every one that stands twice refused.
fn try_out(server: &ApiServer, object: &Value) {
    if FOREIGN.contains(&object["kind"].as_str().unwrap()) {
        return;
    }
    let path = format!("{}?dryRun=All&fieldValidation=Strict", collection(object));
    let (status, answer) = server.ask("POST", &path, Some(object));
    // A namespace is there already where another test made it.
    let is_there = status == 409 && object["kind"] == "Namespace";
    assert!(status == 201 || is_there, "{path}, {}: {status} {answer}", name(object));
}

fn make_namespace(server: &ApiServer, name: &str, labels: Value) {
    let object =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}});
    let (status, answer) = server.ask("POST", "/api/v1/namespaces", Some(&object));
    assert!([201, 409].contains(&status), "{answer}");
}

/// For the namespaces that manifests name.
fn server() -> Option<&'static ApiServer> {
    let server = ApiServer::shared()?;
    for namespace in ["deepflow", "open-telemetry", "shop"] {
        make_namespace(server, namespace, json!({}));
    }
    Some(server)
}

#[test]
fn a_real_server_takes_every_field_of_every_manifest() {
    let (Some(server), Some(helm)) = (server(), Helm::new()) else { return };
    let mut count = 0;
    for case in CASES {
        let rendered = documents(&helm.render(case));
        count += rendered.len();
        rendered.iter().for_each(|object| try_out(server, object));
    }
    for file in ["otel-agent.yaml", "otel-agent-conf.yaml"] {
        manifest(file).iter().for_each(|object| try_out(server, object));
    }
    assert!(count > 40, "only {count} objects were tried");
    let mut wrong =
        manifest("otel-agent.yaml").into_iter().find(|object| object["kind"] == "Service").unwrap();
    wrong["spec"]["internalTraficPolicy"] = "Local".into();
    let path = format!("{}?dryRun=All&fieldValidation=Strict", collection(&wrong));
    assert_eq!(server.ask("POST", &path, Some(&wrong)).0, 400, "strict validation would refuse nothing");
}

#[test]
fn pods_are_let_into_a_namespace_for_restricted_ones() {
    let (Some(server), Some(helm)) = (server(), Helm::new()) else { return };
    let namespace = "podstamp-restricted";
    make_namespace(server, namespace, json!({"pod-security.kubernetes.io/enforce": "restricted"}));
    let admitted = |workload: &Value| {
        let template = &workload["spec"]["template"];
        let mut spec = template["spec"].clone();
        // Nothing else of a namespace is there.
        spec.as_object_mut().unwrap().remove("priorityClassName");
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "spec": spec,
            "metadata": {"name": name(workload), "namespace": namespace, "labels": template["metadata"]["labels"]},
        });
        server.ask("POST", &format!("/api/v1/namespaces/{namespace}/pods?dryRun=All"), Some(&pod))
    };
    let cases = CASES.map(|case| (case, documents(&helm.render(case))));
    for (case, documents) in cases
        .iter()
        .map(|(case, documents)| (*case, documents))
        .chain([("drop-in", &manifest("otel-agent.yaml"))])
    {
        for workload in workloads(documents) {
            let (status, answer) = admitted(workload);
            // Pod security has no ports of the node in a restricted pod, and the values say so.
            let on_host =
                container(workload)["ports"].as_array().unwrap().iter().any(|port| port["hostPort"].is_u64());
            assert_eq!(status, if on_host { 403 } else { 201 }, "{case}, {}: {answer}", name(workload));
            assert!(!on_host || answer["message"].as_str().unwrap().contains("hostPort"), "{answer}");
        }
    }
}

#[test]
fn helm_installs_upgrades_from_one_mode_to_the_next_and_takes_all_away_again() {
    let (Some(server), Some(helm)) = (server(), Helm::new()) else { return };
    let namespace = "podstamp-by-helm";
    let run = |arguments: &[&str], case: Option<&str>| {
        let mut command = helm.command();
        command.args(arguments).args(["--namespace", namespace, "--kubeconfig"]).arg(server.admin_config());
        if let Some(case) = case {
            command.arg(chart()).arg("--values").arg(values(case));
            command.arg("--set").arg(format!("deepflow.nodeLocal.namespace={namespace}"));
        }
        text(command.output().unwrap())
    };
    let there = |kind: &str| {
        let list = server.get(&format!("/apis/apps/v1/namespaces/{namespace}/{kind}"));
        let items = list["items"].as_array().unwrap().clone();
        items.iter().map(|item| name(item).to_owned()).collect::<Vec<_>>()
    };
    let install = ["install", "podstamp", "--create-namespace", "--set", "console.enabled=true"];
    let notes = run(&install, Some("agent"));
    let endpoint = format!("http://podstamp-agent.{namespace}:4318");
    assert!(notes.contains(&endpoint) && notes.contains("inputs.integration.enabled"), "{notes}");
    let forward = format!("kubectl -n {namespace} port-forward daemonset/podstamp-agent 8888\n");
    assert!(notes.contains("http://127.0.0.1:8888/ in a browser") && notes.contains(&forward), "{notes}");
    assert_eq!((there("daemonsets"), there("deployments").len()), (vec!["podstamp-agent".to_owned()], 0));
    for case in ["both", "gateway", "agent-central"] {
        run(&["upgrade", "podstamp"], Some(case));
    }
    assert_eq!((there("daemonsets").len(), there("deployments")), (1, vec!["podstamp-pods".to_owned()]));
    run(&["uninstall", "podstamp"], None);
    assert_eq!((there("daemonsets").len(), there("deployments").len()), (0, 0));
    let list = server.get("/apis/rbac.authorization.k8s.io/v1/clusterroles");
    assert!(list["items"].as_array().unwrap().iter().all(|role| !name(role).starts_with(namespace)));
}

/// What the account of the agents may do, asked of the server itself.
#[test]
fn the_account_reads_pods_and_nothing_else() {
    let (Some(server), Some(helm)) = (server(), Helm::new()) else { return };
    let rendered = helm.template(&[values("agent")], &["fullnameOverride=account"]);
    let objects = documents(&text(rendered));
    for kind in ["ServiceAccount", "ClusterRole", "ClusterRoleBinding"] {
        let object = of_kind(&objects, kind)[0];
        let (status, answer) = server.ask("POST", &collection(object), Some(object));
        assert!([201, 409].contains(&status), "{answer}");
    }
    let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}});
    let token = server.create("/api/v1/namespaces/deepflow/serviceaccounts/account/token", &request);
    let token = token["status"]["token"].as_str().unwrap();
    let may = |verb: &str, resource: &str| {
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {"verb": verb, "resource": resource}},
        });
        let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        server.ask_as(token, "POST", path, Some(&review)).1["status"]["allowed"] == true
    };
    podstamp_test_support::wait_until("the binding holds", || may("watch", "pods"));
    assert!(may("list", "pods") && may("get", "pods"));
    for (verb, resource) in [
        ("delete", "pods"),
        ("create", "pods"),
        ("list", "nodes"),
        ("get", "secrets"),
        ("list", "configmaps"),
    ] {
        assert!(!may(verb, resource), "{verb} {resource}");
    }
}
