//! The API server that the other tests use, and Helm and kubectl against it.

use std::process::Command;

use podstamp_test_support::api_server::{ADMIN_TOKEN, ApiServer};
use podstamp_test_support::runtime::{helm, kubectl};
use podstamp_test_support::wait_until;
use serde_json::json;

const PODS: &str = "/api/v1/pods";

#[test]
fn a_pod_runs_is_marked_as_deleted_and_goes() {
    let Some(server) = ApiServer::shared() else {
        return;
    };
    let shop = server.namespace();
    let pod = shop.pod("web-1").label("app", "web").owner("ReplicaSet", "web-6d4cf8b9d7").create();
    let addresses = [shop.address(17), shop.address_v6(17)];
    pod.run(&addresses.each_ref().map(String::as_str), &shop.node_address(1));
    pod.containers_run(&[("app", "containerd://0123456789abcdef")]);
    let object = pod.object();
    assert_eq!(object["metadata"]["uid"], *pod.uid);
    let status = &object["status"];
    assert_eq!(status["podIPs"], json!([{"ip": addresses[0]}, {"ip": addresses[1]}]));
    assert_eq!((&status["hostIP"], &status["phase"]), (&json!(shop.node_address(1)), &json!("Running")));
    assert_eq!(status["containerStatuses"][0]["containerID"], "containerd://0123456789abcdef");
    pod.delete_gracefully();
    assert_eq!(pod.object()["metadata"]["deletionGracePeriodSeconds"], 30);
    pod.delete_now();
    let (status, _) = server.ask("GET", &format!("/api/v1/namespaces/{}/pods/web-1", shop.name), None);
    assert_eq!(status, 404);
}

#[test]
fn a_service_account_may_do_what_it_is_granted_and_no_more() {
    let Some(server) = ApiServer::shared() else {
        return;
    };
    let shop = server.namespace();
    let account = server.service_account(&shop.name, "podstamp");
    let token = account.token();
    let status = |method: &str, path: &str| server.ask_as(&token, method, path, None).0;
    assert_eq!(status("GET", PODS), 403);
    account.grant_pods();
    assert_eq!((status("GET", PODS), status("GET", "/api/v1/nodes")), (200, 403));
    account.revoke();
    assert_eq!(status("GET", PODS), 403);
    assert_eq!(server.ask_as("no-token", "GET", PODS, None).0, 401);
}

#[test]
fn what_was_stored_survives_a_kill_and_a_revoked_token_does_not() {
    let Some(server) = ApiServer::start() else {
        return;
    };
    let shop = server.namespace();
    let pod = shop.running("web-1", &shop.address(1));
    let (token, secret) = shop.reader("podstamp").revocable_token();
    let status = || server.ask_as(&token, "GET", PODS, None).0;
    assert_eq!(status(), 200);
    server.delete(&secret);
    server.kill();
    server.start_again();
    assert_eq!((status(), pod.object()["metadata"]["uid"].as_str()), (401, Some(&*pod.uid)));
}

#[test]
fn kubectl_and_helm_speak_to_the_server() {
    let (Some(server), Some(kubectl), Some(helm)) = (ApiServer::shared(), kubectl(), helm()) else {
        return;
    };
    let shop = server.namespace();
    shop.running("web-1", &shop.address(1));
    let config = server.admin_config();
    let run = |command: &mut Command| {
        let output = command.args(["--kubeconfig"]).arg(&config).output().unwrap();
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let listed = run(Command::new(&kubectl).args(["get", "pods", "-n", &shop.name, "-o", "name"]));
    assert_eq!(listed, "pod/web-1\n");
    assert!(run(Command::new(&kubectl).arg("version")).contains("Server Version: v1.37.2"));
    assert_eq!(run(Command::new(&helm).args(["list", "-A", "-q"])), "");
}

/// One program acts as several releases.
#[test]
fn a_server_takes_further_flags() {
    let Some(server) = ApiServer::with(&["--emulated-version=1.34", "--feature-gates=WatchList=false"])
    else {
        return;
    };
    assert_eq!(server.get("/version")["emulationMinor"], "34");
    let streaming = format!(
        "{PODS}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=1"
    );
    assert_eq!(server.ask("GET", &streaming, None).0, 422);
    server.freeze();
    server.thaw();
    wait_until("it answers again", || server.ask_as(ADMIN_TOKEN, "GET", "/readyz", None).0 == 200);
}
