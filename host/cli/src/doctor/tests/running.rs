//! A running podstamp, and the test span.

use podstamp_fake_agent::Script;

use serde_json::json;

use super::shop::{CONFIG, Shop, examined, podstamp};
use crate::doctor::Doctor;
use crate::doctor::check;
use crate::doctor::finding::State::{Failed, Fine, Skipped, Warning};
use crate::doctor::standpoint::Process;

#[tokio::test]
async fn readiness_pods_and_peers_are_told() {
    let shop = Shop::open().await;
    let found = shop.examine().await;
    found.expect(check::READY, Fine, &["is ready"]);
    found.expect(check::POD_TABLE, Fine, &["6 pods, heard from 3 s ago"]);
    found.expect(check::PEERS, Fine, &["each of the last 10 minutes led to a pod"]);
    shop.admin.say("/console/live", 200, "{}");
    let console = format!("its console: http://{}/", shop.admin.address());
    shop.examine().await.expect(check::READY, Fine, &["is ready", &console]);
    for path in ["/console/live", "/metrics", "/peers"] {
        shop.admin.say(path, 401, "credentials\n");
    }
    let found = shop.examine().await;
    found.expect(check::READY, Fine, &[&console]);
    found.expect(check::POD_TABLE, Skipped, &["podstamp.admin.auth"]);
    found.expect(check::PEERS, Skipped, &["podstamp.admin.auth"]);
    shop.admin.say("/readyz", 503, "pods\n");
    let peers = r#"{"minutes": 10, "peers": [{"address": "10.0.3.7", "requests": 14, "is": "node", "node": "worker-3"}]}"#;
    shop.admin.say("/peers", 200, peers);
    let found = shop.examine().await;
    found.expect(check::READY, Failed, &["is not ready: pods"]);
    found.expect(
        check::PEERS,
        Warning,
        &["10.0.3.7 is node worker-3: 14 requests", "internalTrafficPolicy: Local"],
    );
    shop.admin.say("/peers", 404, "here are /metrics, /healthz, /readyz and /pods\n");
    shop.examine().await.expect(check::PEERS, Skipped, &["is older"]);
}

#[tokio::test]
async fn whoever_is_no_admin_listener_is_told() {
    let shop = Shop::open().await;
    let of = async |admin: &str| {
        let options = Doctor { admin: Some(admin.to_owned()), ..shop.options() };
        examined(&options, &Process::default()).await
    };
    let found = of(&format!("http://{}", shop.cluster.address())).await;
    found.expect(check::READY, Failed, &["is no admin listener of podstamp: GET /readyz gave 404"]);
    found.expect(check::POD_TABLE, Skipped, &["`readiness` has to be right first"]);
    of("https://podstamp:8888").await.expect(
        check::READY,
        Failed,
        &["plain HTTP only; write http://podstamp"],
    );
    of("http://no-such-host.invalid").await.expect(check::READY, Failed, &["has no address"]);
    let options = Doctor { admin: None, ..shop.options() };
    let found = examined(&options, &Process::default()).await;
    let forward = "kubectl -n podstamp port-forward pod/podstamp-1 8888:8888";
    found.expect(check::READY, Skipped, &["is in its pod, and this host is not", "404", forward]);
}

#[tokio::test]
async fn pods_of_podstamp_that_do_not_start_are_told() {
    let shop = Shop::open().await;
    shop.examine().await.expect(check::INSTALLED, Fine, &["2, all ready"]);
    let broken = |node, number| {
        let mut pod = podstamp(node, number);
        pod["status"] = json!({
            "phase": "Pending", "conditions": [{"type": "Ready", "status": "False"}],
            "containerStatuses": [{"name": "podstamp", "state": {"waiting": {"reason": "ImagePullBackOff"}}}],
        });
        pod
    };
    shop.cluster.apply(broken("n2", 2));
    let told = ["1 are ready, 1 are not", "podstamp/podstamp-2: ImagePullBackOff", "describe pod podstamp-2"];
    shop.examine().await.expect(check::INSTALLED, Warning, &told);
    shop.cluster.apply(broken("n1", 1));
    shop.examine().await.expect(check::INSTALLED, Failed, &["0 are ready, 2 are not"]);
    let options = Doctor { namespace: Some("elsewhere".to_owned()), ..shop.options() };
    let found = examined(&options, &Process::default()).await;
    found.expect(check::INSTALLED, Skipped, &["is in namespace elsewhere", "--namespace"]);
    found.expect(check::PERMISSIONS, Fine, &["kubernetes-admin may get"]);
}

#[tokio::test]
async fn from_a_laptop_the_admin_listener_is_asked_through_the_api_server() {
    let shop = Shop::open().await;
    let options = Doctor { admin: None, ..shop.options() };
    let proxy = "/api/v1/namespaces/podstamp/pods/podstamp-1:8888/proxy";
    shop.cluster.say(&format!("{proxy}/readyz"), 200, "ready\n");
    shop.cluster.say(&format!("{proxy}/metrics"), 200, "podstamp_pods 6\n");
    shop.cluster.say(&format!("{proxy}/peers"), 200, r#"{"peers": []}"#);
    let found = examined(&options, &Process::default()).await;
    found.expect(check::READY, Fine, &["podstamp at pod podstamp/podstamp-1 is ready"]);
    found.expect(check::POD_TABLE, Fine, &["6 pods"]);
    found.expect(check::PEERS, Fine, &[]);
    shop.cluster.say(&format!("{proxy}/console/live"), 200, "{}");
    let console = "its console: http://127.0.0.1:8888/ while this runs:";
    let forward = "kubectl -n podstamp port-forward pod/podstamp-1 8888:8888";
    let with_console = examined(&options, &Process::default()).await;
    with_console.expect(check::READY, Fine, &[console, forward]);
    // Its receiver is not passed on.
    found.expect(check::SPAN, Fine, &["taken straight to"]);
    shop.cluster.say(&format!("{proxy}/readyz"), 503, "pods\n");
    let found = examined(&options, &Process::default()).await;
    found.expect(check::READY, Failed, &["is not ready: pods"]);
    shop.cluster.refuse(&format!("{proxy}/readyz"), 503, "error trying to reach service: connection refused");
    let found = examined(&options, &Process::default()).await;
    found.expect(
        check::READY,
        Skipped,
        &["through the API server it is not reached: 503: error trying", "port-forward"],
    );
}

#[tokio::test]
async fn the_span_arrives_once_and_says_what_it_is() {
    let shop = Shop::open().await;
    shop.examine().await.expect(check::SPAN, Fine, &["taken straight to", "service podstamp-doctor, trace "]);
    assert_eq!((shop.agent.totals().spans, shop.agent.totals().aborts), (1, 0));
    let records = format!("{:?}", shop.agent.records());
    for word in ["podstamp-doctor", "0.0.0.0"] {
        assert!(records.contains(word), "{records}");
    }
    let options = Doctor { no_span: true, ..shop.options() };
    examined(&options, &Process::default()).await.expect(check::SPAN, Skipped, &["--no-span"]);
    assert_eq!(shop.agent.totals().spans, 1);
}

#[tokio::test]
async fn in_its_pod_the_span_goes_through_podstamp() {
    let shop = Shop::open().await;
    // It stands in for podstamp's receiver, and its admin listener is ready.
    let receiver = shop.agent.address().to_string();
    let config = CONFIG.replace("0.0.0.0:4318", &receiver).replace("/v1/traces", "");
    let config = config.replace("endpoint: '127", "traces_url_path: /api/v1/otel/trace, endpoint: '127");
    let options = Doctor { kubeconfig: None, config: vec![shop.file(&config)], ..shop.options() };
    let found = examined(&options, &Shop::inside()).await;
    found.expect(check::SPAN, Fine, &["taken through podstamp at"]);
    let records = format!("{:?}", shop.agent.records());
    assert!(records.contains("podstamp-doctor") && !records.contains("0.0.0.0"), "{records}");
    // gRPC alone: straight to the agent.
    let grpc = CONFIG.replace("http: {endpoint: '0.0.0.0:4318'}", "grpc: {endpoint: '0.0.0.0:4317'}");
    let options = Doctor { config: vec![shop.file(&grpc)], ..options };
    let found = examined(&options, &Shop::inside()).await;
    found.expect(check::SPAN, Fine, &["taken straight to", "takes gRPC alone"]);
    // The probe of the agent goes first.
    for _ in 0..2 {
        shop.agent.play(1, Script::Import);
    }
    shop.agent.play_always(Script::Close);
    let found = examined(&options, &Shop::inside()).await;
    found.expect(check::SPAN, Failed, &["closes the connection"]);
}
