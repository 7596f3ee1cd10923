//! podstamp serves what the chart renders, beside a real API server. Only where to listen, where the API is and where the agent is
//! are other than in a cluster.

use podstamp_test_support::api_server::{ApiServer, Namespace};
use podstamp_test_support::blocking::http::{Client, PROTOBUF, get};
use podstamp_test_support::spans;

use super::{Helm, documents, name, of_kind};
use crate::fake_agent::FakeAgent;
use crate::served::{Served, Setup, exporter, wait_until};

/// The configuration that a case has for a component.
fn configuration(helm: &Helm, case: &str, component: &str) -> String {
    let documents = documents(&helm.render(case));
    let maps = of_kind(&documents, "ConfigMap");
    let map = maps.into_iter().find(|map| name(map) == format!("podstamp-{component}")).unwrap();
    map["data"]["podstamp.yaml"].as_str().unwrap().to_owned()
}

/// Serves it with further lines under `podstamp:`, as the pod of a node, and waits until it is ready.
fn serve(document: String, shop: &Namespace<'_>, account: &str, agent: &FakeAgent, own: &str) -> Served {
    let kube_config = shop.reader(account).kube_config();
    let access = format!("{{auth_type: kubeConfig, kube_config_path: {}}}", kube_config.display());
    let setup = Setup {
        config: format!("processors: {{k8sattributes: {access}}}\n{}", exporter(&agent.url())),
        before: Some(document),
        variables: vec![("NODE_NAME", "node-1".to_owned())],
        ..Setup::default()
    };
    let served = setup.own(own).serve();
    wait_until("podstamp is ready", || get(served.admin, "/readyz").0 == 200);
    served
}

/// The address that the agent gets for a resource of the pod of this name.
fn stamped(served: &Served, agent: &FakeAgent, pod: &str) -> String {
    agent.agent().forget_records();
    let body = spans::export(&[("shop", pod)]);
    let response = Client::connect(served.address).send("POST", "/v1/traces", &[PROTOBUF], &body);
    assert_eq!(response.status, 200, "{}", response.message());
    let placed = agent.placed();
    assert_eq!(placed.len(), 1, "{placed:?}");
    placed[0].1.clone()
}

#[test]
fn an_agent_knows_the_pods_of_its_node_and_a_gateway_those_of_all_nodes() {
    let (Some(server), Some(helm)) = (ApiServer::shared(), Helm::new()) else { return };
    let (shop, agent) = (server.namespace(), FakeAgent::start());
    let (near, far) = ("near-of-the-chart", "far-of-the-chart");
    shop.running(near, &shop.address(1));
    shop.pod(far).node("node-2").create().run(&[&shop.address(2)], &shop.node_address(2));
    let of_agent = serve(configuration(&helm, "agent", "agent"), &shop, "agent", &agent, "");
    assert_eq!(stamped(&of_agent, &agent, near), shop.address(1));
    assert_eq!(stamped(&of_agent, &agent, far), "0.0.0.0");
    let gateway = serve(configuration(&helm, "gateway", "gateway"), &shop, "gateway", &agent, "");
    assert_eq!(stamped(&gateway, &agent, far), shop.address(2));
}

#[test]
fn agents_have_the_pods_of_all_nodes_from_the_central_podstamp() {
    let (Some(server), Some(helm)) = (ApiServer::shared(), Helm::new()) else { return };
    let (shop, agent) = (server.namespace(), FakeAgent::start());
    let far = "far-of-the-center";
    shop.pod(far).node("node-2").create().run(&[&shop.address(2)], &shop.node_address(2));
    let central = serve(configuration(&helm, "agent-central", "pods"), &shop, "pods", &agent, "");
    let from = format!("  pods:\n    from: http://{}\n", central.admin);
    let of_agent = serve(configuration(&helm, "agent-central", "agent"), &shop, "agent", &agent, &from);
    assert_eq!(stamped(&of_agent, &agent, far), shop.address(2));
    // One that comes later is known soon.
    shop.running("late-of-the-center", &shop.address(3));
    wait_until("it is known", || stamped(&of_agent, &agent, "late-of-the-center") == shop.address(3));
}
