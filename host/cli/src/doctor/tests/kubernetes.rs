//! The Kubernetes API: whether it answers, who asks, what they may, and the pods.

use std::io::{Read, Write};
use std::net::TcpListener;

use podstamp_test_support::ports::closed_port;

use super::shop::{CONFIG, Shop, examined, pod};
use crate::doctor::Doctor;
use crate::doctor::check;
use crate::doctor::finding::State::{Failed, Fine, Skipped, Warning};
use crate::doctor::standpoint::Process;
use serde_json::json;

#[tokio::test]
async fn a_server_that_is_away_is_told_and_what_needs_it_is_skipped() {
    let shop = Shop::open().await;
    let refusing = closed_port();
    let config = std::fs::read_to_string(shop.cluster.config()).unwrap();
    let path = shop.folder.path().join("config");
    std::fs::write(&path, config.replace(&shop.cluster.address().to_string(), &refusing.to_string()))
        .unwrap();
    let options = Doctor { kubeconfig: Some(path), ..shop.options() };
    let found = examined(&options, &Process::default()).await;
    found.expect(check::API, Failed, &["cannot be reached", "NetworkPolicy", "VPN"]);
    for check in [
        check::CREDENTIALS,
        check::PERMISSIONS,
        check::PODS,
        check::AGENT_SERVICE,
        check::AGENT_NODES,
        check::CLOCK_API,
    ] {
        found.expect(check, Skipped, &["`API server` has to be right first"]);
    }
    found.expect(check::CONFIGURATION, Skipped, &["no --config is given"]);
    found.expect(check::AGENT, Fine, &[]);
    found.expect(check::SPAN, Fine, &["straight to"]);
}

#[tokio::test]
async fn a_port_without_tls_is_told() {
    let shop = Shop::open().await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let plain = listener.local_addr().unwrap().to_string();
    // As Go's server does.
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            drop(stream.write_all(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n400 Bad Request"));
            let mut rest = [0; 1000];
            drop(stream.read(&mut rest));
        }
    });
    let config = std::fs::read_to_string(shop.cluster.config()).unwrap().replace("http://", "https://");
    let path = shop.folder.path().join("config");
    std::fs::write(&path, config.replace(&shop.cluster.address().to_string(), &plain)).unwrap();
    let options = Doctor { kubeconfig: Some(path), ..shop.options() };
    let found = examined(&options, &Process::default()).await;
    found.expect(
        check::API,
        Failed,
        &["cannot be trusted", "speaks no TLS", "openssl s_client -connect 127.0.0.1:"],
    );
}

#[tokio::test]
async fn something_that_is_no_api_server_is_told() {
    let shop = Shop::open().await;
    shop.cluster.say("/version", 200, "<html>please log in</html>");
    let found = shop.examine().await;
    found.expect(check::API, Failed, &["is no Kubernetes API server", "gave 200 with", "please log in"]);
    shop.cluster.say("/version", 404, "");
    shop.examine().await.expect(check::API, Failed, &["gave 404 with an empty body"]);
    // It is one, and does not say which.
    shop.cluster.refuse("/version", 403, "forbidden: User \"system:anonymous\" cannot get path \"/version\"");
    shop.examine().await.expect(check::API, Fine, &["does not tell its version"]);
}

#[tokio::test]
async fn a_server_that_takes_connections_and_says_nothing_does_not_hold_up_the_rest() {
    let shop = Shop::open().await;
    // Nobody accepts from its backlog.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = std::fs::read_to_string(shop.cluster.config()).unwrap();
    let path = shop.folder.path().join("config");
    let silent = listener.local_addr().unwrap().to_string();
    std::fs::write(&path, config.replace(&shop.cluster.address().to_string(), &silent)).unwrap();
    let options = Doctor { kubeconfig: Some(path), ..shop.options() };
    let found = examined(&options, &Process::default()).await;
    found.expect(check::API, Failed, &["takes the connection and gives no answer", "within 8 s"]);
    found.expect(check::AGENT, Fine, &[]);
}

#[tokio::test]
async fn a_kubeconfig_that_cannot_be_used_is_told() {
    let shop = Shop::open().await;
    let path = shop.folder.path().join("config");
    std::fs::File::create(&path).unwrap().write_all(b"clusters: [\n").unwrap();
    let options = Doctor { kubeconfig: Some(path), ..shop.options() };
    let found = examined(&options, &Process::default()).await;
    found.expect(check::API, Failed, &["the kubeconfig", "no YAML", "--kubeconfig and --context"]);
    let options = Doctor { context: Some("other".to_owned()), ..shop.options() };
    let found = examined(&options, &Process::default()).await;
    found.expect(check::API, Failed, &["it has no context `other`"]);
}

#[tokio::test]
async fn who_asks_is_told_and_whether_they_are_accepted() {
    let shop = Shop::open().await;
    shop.examine().await.expect(check::CREDENTIALS, Fine, &["accepted, as kubernetes-admin"]);
    shop.cluster.call("system:anonymous");
    shop.examine().await.expect(check::CREDENTIALS, Warning, &["asks as nobody"]);
    shop.cluster.refuse("/apis/authentication", 404, "not found");
    shop.examine().await.expect(check::CREDENTIALS, Fine, &["accepted, of "]);
    shop.cluster.refuse("/apis/", 401, "Unauthorized");
    let found = shop.examine().await;
    found.expect(
        check::CREDENTIALS,
        Failed,
        &["are not accepted (401: Unauthorized)", "kubectl auth whoami"],
    );
    found.expect(check::PERMISSIONS, Skipped, &["`credentials` has to be right first"]);
    found.expect(check::AGENT_SERVICE, Skipped, &["`credentials` has to be right first"]);
}

#[tokio::test]
async fn the_rights_of_podstamps_own_service_account_are_asked_for_from_elsewhere() {
    let shop = Shop::open().await;
    let account = "system:serviceaccount:podstamp:podstamp";
    shop.examine().await.expect(
        check::PERMISSIONS,
        Fine,
        &["system:serviceaccount:podstamp:podstamp may get, list and watch pods in all namespaces"],
    );
    shop.cluster.deny(account, "watch");
    // The rights of whoever asks are none of podstamp's.
    shop.cluster.deny("", "get");
    let found = shop.examine().await;
    found.expect(
        check::PERMISSIONS,
        Failed,
        &[
            "podstamp may not watch pods in all namespaces",
            "kubectl create clusterrole podstamp --verb=get,list,watch --resource=pods",
            "kubectl create clusterrolebinding podstamp --clusterrole=podstamp --serviceaccount=podstamp:podstamp",
        ],
    );
    let asked = shop.cluster.asked();
    let review = asked.iter().rev().find(|(path, _)| path.ends_with("/subjectaccessreviews")).unwrap();
    let groups = ["system:serviceaccounts", "system:serviceaccounts:podstamp", "system:authenticated"];
    assert_eq!(review.1["spec"]["groups"], json!(groups));

    // Whoever is that account needs nobody's leave to ask about itself.
    shop.cluster.call(account);
    shop.examine().await.expect(
        check::PERMISSIONS,
        Failed,
        &["podstamp may not get pods", "--serviceaccount=podstamp:podstamp"],
    );
    shop.cluster.call("kubernetes-admin");
    shop.cluster.refuse("/apis/authorization.k8s.io/v1/subjectaccessreviews", 403, "forbidden");
    let found = shop.examine().await;
    found.expect(
        check::PERMISSIONS,
        Failed,
        &["kubernetes-admin may not get pods", "that is you", "--user=kubernetes-admin"],
    );
    shop.cluster.refuse("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", 500, "etcd is away");
    shop.examine().await.expect(check::PERMISSIONS, Failed, &["does not say: 500: etcd is away"]);
}

#[tokio::test]
async fn one_namespace_takes_a_role_in_it() {
    let shop = Shop::open().await;
    let config = CONFIG.replace("k8sattributes: {}", "k8sattributes: {filter: {namespace: shop}}");
    let options = Doctor { config: vec![shop.file(&config)], ..shop.options() };
    shop.cluster.deny("", "list");
    let found = examined(&options, &Process::default()).await;
    found.expect(
        check::PERMISSIONS,
        Failed,
        &[
            "may not list pods in namespace shop",
            "kubectl -n shop create role podstamp",
            "kubectl -n shop create rolebinding podstamp --role=podstamp",
        ],
    );
    found.expect(check::PODS, Fine, &["2 in namespace shop: 2 with an address of their own"]);
}

#[tokio::test]
async fn pods_are_counted_as_podstamp_would_see_them() {
    let shop = Shop::open().await;
    shop.examine().await.expect(check::PODS, Fine, &["6 in all namespaces: 6 with an address of their own"]);
    let mut on_node = pod("shop", "proxy", "n1", "10.0.0.1", json!({}));
    on_node["spec"]["hostNetwork"] = true.into();
    let mut ended = pod("shop", "job", "n1", "10.1.1.7", json!({}));
    ended["status"]["phase"] = "Succeeded".into();
    let mut pending = pod("shop", "late", "n1", "", json!({}));
    pending["status"] = json!({"phase": "Pending"});
    for pod in [on_node, ended, pending] {
        shop.cluster.apply(pod);
    }
    let counted =
        "9 in all namespaces: 6 with an address of their own, 1 on their node's network, 1 that have ended";
    shop.examine().await.expect(check::PODS, Fine, &[counted]);
    let options = Doctor { config: vec![shop.file(CONFIG)], ..shop.options() };
    let inside = Doctor { kubeconfig: None, ..options };
    let found = examined(&inside, &Shop::inside()).await;
    found.expect(check::PODS, Fine, &["6 on this node, n1"]);

    let node = |node: &str| {
        let filter = format!("k8sattributes: {{filter: {{node: {node}}}}}");
        vec![shop.file(&CONFIG.replace("k8sattributes: {}", &filter))]
    };
    let found = examined(&Doctor { config: node("n2"), ..inside.clone() }, &Shop::inside()).await;
    found.expect(
        check::PODS,
        Failed,
        &["those of node n2 are watched, and podstamp runs on n1", "node_from_env_var"],
    );
    let found = examined(&Doctor { config: node("n1"), ..inside.clone() }, &Shop::inside()).await;
    found.expect(check::PODS, Fine, &["6 on node n1: 3 with an address"]);
    let found = examined(&Doctor { config: node("elsewhere"), ..inside }, &Process::default()).await;
    found.expect(check::PODS, Failed, &["the API shows none on node elsewhere", "kubectl get nodes"]);
    shop.cluster.refuse("/api/v1/pods", 403, "pods is forbidden");
    shop.examine().await.expect(
        check::PODS,
        Skipped,
        &["may not be listed from here (403: pods is forbidden)"],
    );
}

#[tokio::test]
async fn clocks_that_differ_are_told() {
    let shop = Shop::open().await;
    shop.examine().await.expect(check::CLOCK_API, Fine, &["agrees with the clock here"]);
    shop.cluster.set_clock(3600);
    let found = shop.examine().await;
    found.expect(
        check::CLOCK_API,
        Warning,
        &[" s ahead of the clock here", "NTP", "the clock of this machine"],
    );
    let options = Doctor { kubeconfig: None, config: vec![shop.file(CONFIG)], ..shop.options() };
    shop.cluster.set_clock(-3600);
    let found = examined(&options, &Shop::inside()).await;
    found.expect(check::CLOCK_API, Failed, &[" s behind the clock here"]);
    found.expect(check::CLOCK_AGENT, Fine, &[]);
}
