//! deepflow-agent: its Service and what is behind it, its settings, its nodes, and what it answers.

use podstamp_fake_agent::Script;
use serde_json::{Value, json};

use super::shop::{CONFIG, Shop, config_map, examined, podstamp, service, slice};
use crate::doctor::Doctor;
use crate::doctor::check;
use crate::doctor::finding::State::{Failed, Fine, Skipped, Warning};
use crate::doctor::standpoint::Process;

/// As from a laptop without forwarded ports.
fn far(shop: &Shop) -> Doctor {
    Doctor { agent: None, admin: None, ..shop.options() }
}

#[tokio::test]
async fn a_service_that_is_not_where_spans_go_is_found_by_its_labels() {
    let shop = Shop::open().await;
    shop.examine().await.expect(check::AGENT_SERVICE, Fine, &["deepflow/deepflow-agent"]);
    shop.cluster.delete("Service", "deepflow", "deepflow-agent");
    let found = shop.examine().await;
    found.expect(
        check::AGENT_SERVICE,
        Failed,
        &["there is no Service deepflow/deepflow-agent, nor one labelled", "--agent-namespace"],
    );
    for check in [
        check::AGENT_PORT,
        check::AGENT_ENDPOINTS,
        check::AGENT_TRAFFIC_POLICY,
        check::AGENT_SETTINGS,
        check::AGENT_NODES,
    ] {
        found.expect(check, Skipped, &["`Service` has to be right first"]);
    }
    let mut elsewhere = service("Local", json!(38086));
    elsewhere["metadata"]["namespace"] = "infra".into();
    shop.cluster.apply(elsewhere);
    let found = shop.examine().await;
    found.expect(
        check::AGENT_SERVICE,
        Failed,
        &[
            "sends to deepflow/deepflow-agent, which is not there",
            "infra/deepflow-agent",
            "http://deepflow-agent.infra/api/v1/otel/trace",
        ],
    );
    let options = Doctor { agent_namespace: Some("nowhere".to_owned()), ..shop.options() };
    let found = examined(&options, &Process::default()).await;
    found.expect(check::AGENT_SERVICE, Failed, &["infra/deepflow-agent"]);
}

#[tokio::test]
async fn what_the_service_account_may_not_see_is_skipped_with_where_to_look() {
    let shop = Shop::open().await;
    shop.cluster.refuse("/api/v1/namespaces/deepflow/services", 403, "services is forbidden");
    let options = Doctor { kubeconfig: None, config: vec![shop.file(CONFIG)], ..shop.options() };
    let found = examined(&options, &Shop::inside()).await;
    found.expect(check::AGENT_SERVICE, Skipped, &["403: services is forbidden", "where you have kubectl"]);
    found.expect(check::AGENT_PORT, Skipped, &[]);
    // Pods it may see.
    found.expect(check::AGENT_NODES, Fine, &["each of the 2 nodes"]);
}

#[tokio::test]
async fn the_port_has_to_lead_to_the_integration() {
    let shop = Shop::open().await;
    let of = async |service: Value| {
        shop.cluster.apply(service);
        examined(&far(&shop), &Process::default()).await
    };
    of(service("Local", json!("receive"))).await.expect(check::AGENT_PORT, Fine, &["80 leads to 38086"]);
    of(service("Local", json!(38086))).await.expect(check::AGENT_PORT, Fine, &["80 leads to 38086"]);
    of(service("Local", json!(4317))).await.expect(
        check::AGENT_PORT,
        Failed,
        &[
            "80 leads to 4317",
            "listens on 38086",
            "unless inputs.integration.listen_port",
            "\\\"value\\\":38086",
        ],
    );
    let mut other = service("Local", json!(38086));
    other["spec"]["ports"][0]["port"] = 38086.into();
    of(other).await.expect(
        check::AGENT_PORT,
        Failed,
        &["has no port 80; it has 38086", "http://deepflow-agent.deepflow:38086/api/v1/otel/trace"],
    );
    let mut named = service("Local", json!("otel"));
    named["spec"]["ports"][0]["name"] = "otel".into();
    of(named).await.expect(check::AGENT_PORT, Warning, &["no pod has one of that name"]);
    // Whoever was seen to answer is right.
    shop.cluster.apply(service("Local", json!(4317)));
    shop.examine().await.expect(check::AGENT_PORT, Fine, &["80 leads to 4317, and an agent answers there"]);
    // The ConfigMap says another.
    let data = json!({"deepflow-agent.yaml": "external_agent_http_proxy_port: 4317"});
    shop.cluster.apply(config_map("deepflow", "deepflow-agent", data));
    of(service("Local", json!(4317))).await.expect(check::AGENT_PORT, Fine, &["80 leads to 4317, where"]);
}

#[tokio::test]
async fn endpoints_have_to_be_there_and_ready() {
    let shop = Shop::open().await;
    let of = async |nodes: &[(&str, bool)]| {
        shop.cluster.apply(slice(nodes));
        shop.examine().await
    };
    of(&[("n1", true), ("n2", true)]).await.expect(
        check::AGENT_ENDPOINTS,
        Fine,
        &["2 behind deepflow/deepflow-agent, all ready"],
    );
    of(&[]).await.expect(
        check::AGENT_ENDPOINTS,
        Failed,
        &[
            "no pod is behind",
            "kubectl -n deepflow get pods -l 'app=deepflow,component=deepflow-agent' -o wide",
        ],
    );
    of(&[("n1", false)]).await.expect(check::AGENT_ENDPOINTS, Failed, &["none of the 1 behind"]);
    of(&[("n1", true), ("n2", false)]).await.expect(
        check::AGENT_ENDPOINTS,
        Warning,
        &["1 behind deepflow/deepflow-agent are ready, 1 are not", "deepflow-agent-n2 on node n2"],
    );
    shop.cluster.refuse("/apis/discovery.k8s.io", 403, "forbidden");
    shop.examine().await.expect(
        check::AGENT_ENDPOINTS,
        Skipped,
        &["EndpointSlices cannot be read from here"],
    );
}

#[tokio::test]
async fn traffic_has_to_stay_on_the_node() {
    let shop = Shop::open().await;
    shop.examine().await.expect(check::AGENT_TRAFFIC_POLICY, Fine, &["internalTrafficPolicy: Local"]);
    shop.cluster.apply(service("Cluster", json!("receive")));
    let patch = "kubectl -n deepflow patch service deepflow-agent -p '{\\\"spec\\\":{\\\"internalTrafficPolicy\\\":\\\"Local\\\"}}'";
    shop.examine().await.expect(
        check::AGENT_TRAFFIC_POLICY,
        Warning,
        &["Cluster, spans go to the agent of any node", patch],
    );
}

#[tokio::test]
async fn every_node_of_podstamp_needs_an_agent() {
    let shop = Shop::open().await;
    shop.examine().await.expect(check::AGENT_NODES, Fine, &["each of the 2 nodes"]);
    shop.cluster.delete("Pod", "deepflow", "deepflow-agent-2");
    shop.examine().await.expect(
        check::AGENT_NODES,
        Failed,
        &["no agent is ready on 1 of them", "node n2", "503"],
    );
    shop.cluster.apply(service("Cluster", json!("receive")));
    shop.examine().await.expect(check::AGENT_NODES, Warning, &["no agent is ready on 1 of them"]);
    // One that is there for its table alone sends to no agent.
    let mut central = podstamp("n1", 2);
    central["metadata"]["labels"]["app.kubernetes.io/component"] = "pods".into();
    shop.cluster.apply(central);
    shop.examine().await.expect(check::AGENT_NODES, Fine, &["on the node that podstamp runs on"]);
    shop.cluster.delete("Pod", "podstamp", "podstamp-1");
    shop.cluster.delete("Pod", "podstamp", "podstamp-2");
    shop.examine().await.expect(check::AGENT_NODES, Skipped, &["no pod of podstamp was found"]);
}

#[tokio::test]
async fn the_agents_switch_is_read_from_its_config_map() {
    let shop = Shop::open().await;
    shop.examine().await.expect(
        check::AGENT_SETTINGS,
        Fine,
        &["says nothing of it, so that it is on, at port 38086"],
    );
    let data = json!({"deepflow-agent.yaml": "external_agent_http_proxy_enabled: 0"});
    shop.cluster.apply(config_map("deepflow", "deepflow-agent", data));
    shop.examine().await.expect(
        check::AGENT_SETTINGS,
        Failed,
        &["switched off by external_agent_http_proxy_enabled in ConfigMap deepflow/deepflow-agent", "to 1"],
    );
    shop.cluster.delete("ConfigMap", "deepflow", "deepflow-agent");
    shop.examine().await.expect(check::AGENT_SETTINGS, Skipped, &["no ConfigMap of the agent's"]);
    shop.cluster.refuse("/api/v1/namespaces/deepflow/configmaps", 403, "forbidden");
    shop.examine().await.expect(check::AGENT_SETTINGS, Skipped, &["cannot be read from here"]);
}

#[tokio::test]
async fn an_agent_that_throws_traces_away_is_told_and_gets_no_span() {
    let shop = Shop::open().await;
    shop.examine().await.expect(check::AGENT, Fine, &["is a deepflow-agent", "it takes traces at"]);
    shop.agent.play_always(Script::Disabled);
    let found = shop.examine().await;
    found.expect(
        check::AGENT,
        Failed,
        &["answers 200 and throws traces away", "the-agent-answers-200-and-keeps-nothing"],
    );
    found.expect(check::SPAN, Skipped, &["`answers` has to be right first"]);
}

#[tokio::test]
async fn from_a_laptop_the_way_to_the_agent_is_told() {
    let shop = Shop::open().await;
    let found = examined(&far(&shop), &Process::default()).await;
    found.expect(
        check::AGENT,
        Skipped,
        &[
            "has an address of the cluster",
            "kubectl -n deepflow port-forward service/deepflow-agent 38086:80",
            "kubectl -n podstamp exec podstamp-1 -- podstamp doctor --config /etc/podstamp/podstamp.yaml",
        ],
    );
    found.expect(check::CLOCK_AGENT, Skipped, &[]);
    found.expect(check::SPAN, Skipped, &[]);
    // In the cluster that is where spans go, and has to answer.
    let config = CONFIG.replace("deepflow-agent.deepflow", "deepflow-agent.deepflow.svc");
    let options = Doctor { kubeconfig: None, config: vec![shop.file(&config)], ..far(&shop) };
    let found = examined(&options, &Shop::inside()).await;
    found.expect(check::AGENT, Failed, &["deepflow-agent.deepflow.svc has no address"]);
}

#[tokio::test]
async fn a_host_that_is_no_service_is_asked_and_the_service_is_not_blamed() {
    let shop = Shop::open().await;
    let config = CONFIG.replace("http://deepflow-agent.deepflow/api/v1/otel/trace", &shop.agent.url());
    let options = Doctor { kubeconfig: None, config: vec![shop.file(&config)], ..far(&shop) };
    shop.cluster.apply(service("Cluster", json!(1)));
    let found = examined(&options, &Shop::inside()).await;
    found.expect(check::AGENT, Fine, &["is a deepflow-agent"]);
    found.expect(check::AGENT_PORT, Skipped, &["not through the Service"]);
    found.expect(check::AGENT_TRAFFIC_POLICY, Skipped, &["not through the Service"]);
}

#[tokio::test]
async fn another_upstream_is_no_agent_and_not_examined() {
    let shop = Shop::open().await;
    let config =
        CONFIG.replace("http://deepflow-agent.deepflow/api/v1/otel/trace", "http://collector:4318/v1/traces");
    let options = Doctor { config: vec![shop.file(&config)], ..far(&shop) };
    let found = examined(&options, &Process::default()).await;
    for check in [check::AGENT_SERVICE, check::AGENT] {
        found.expect(
            check,
            Skipped,
            &["sends traces to http://collector:4318/v1/traces, which is no deepflow-agent"],
        );
    }
}
