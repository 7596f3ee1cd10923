//! Credentials and rights that are missing, or end, and API servers that are none: podstamp says so, and stays.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};

use podstamp_test_support::api_server::{ApiServer, write_token};
use podstamp_test_support::authority::Authority;
use podstamp_test_support::ports::closed_port;
use serde_json::{Value, json};

use crate::served::can_mount;

use super::watching::{UNKNOWN, Watching, within};

#[test]
fn rights_that_are_granted_later_are_all_that_was_missing() {
    let Some(server) = ApiServer::shared() else {
        return;
    };
    let shop = server.namespace();
    let pod = shop.running("web-1", &shop.address(1));
    let account = server.service_account(&shop.name, "podstamp");
    let lines = format!("{}    wait_for_metadata: true\n", within(&shop.name));
    let watching = Watching::begin(&account.kube_config(), &lines);
    let line = watching.served.wait_for_log("403");
    assert!(line.contains("pods") && line.contains("list"), "{line}");
    let (status, text) = watching.readiness();
    assert_eq!(status, 503, "{text}");
    assert!(text.contains("does not allow it (403)"), "{text}");
    account.grant_pods();
    watching.wait_until_ready();
    watching.wait_for(&pod.uid, &[&shop.address(1)]);
    assert_eq!(watching.stamped(&[("host.name", "web-1")]), shop.address(1));
}

/// The kubelet writes a new token before the old one ends; a machine that slept finds it expired.
#[test]
fn a_token_that_ended_is_read_again_and_the_table_serves_meanwhile() {
    let Some(server) = ApiServer::start() else {
        return;
    };
    let shop = server.namespace();
    let pod = shop.running("web-1", &shop.address(1));
    let account = shop.reader("podstamp");
    let (token, secret) = account.revocable_token();
    let file = server.folder().join("token");
    write_token(&file, &format!("{token}\n"));
    let config = server.kube_config(&json!({"tokenFile": file}));
    let watching = Watching::start(&config, &within(&shop.name));
    watching.wait_for(&pod.uid, &[&shop.address(1)]);
    server.delete(&secret);
    // A server that was started anew remembers no tokens.
    server.kill();
    server.start_again();
    let line = watching.served.wait_for_log("401");
    assert!(line.contains("credentials"), "{line}");
    let later = shop.running("web-2", &shop.address(2));
    assert_eq!(watching.stamped(&[("host.name", "web-1")]), shop.address(1));
    assert_eq!(watching.readiness().0, 200);
    write_token(&file, &account.token());
    watching.wait_for(&later.uid, &[&shop.address(2)]);
}

#[test]
fn a_service_account_that_is_mounted_is_found() {
    let Some(server) = ApiServer::shared() else {
        return;
    };
    let shop = server.namespace();
    let pod = shop.running("web-1", &shop.address(1));
    let mounted = shop.reader("podstamp").in_cluster();
    let document = crate::served::fixture("deepflow-load-balancer.yaml");
    let mut variables = server.in_cluster_variables().to_vec();
    variables.push(("MOUNTED", mounted.display().to_string()));
    if !can_mount("mounted service account") {
        return;
    }
    let watching = Watching::with(&document, |mut setup| {
        setup.variables = variables;
        setup.mounting = Some(MOUNT);
        setup
    });
    watching.wait_until_ready();
    watching.wait_for(&pod.uid, &[&shop.address(1)]);
    assert_eq!(watching.stamped(&[("k8s.pod.uid", &*pod.uid)]), shop.address(1));
    // It knows the whole cluster: what is no pod's address is not stamped.
    assert_eq!(watching.stamped_from(&shop.address(200), &[]), UNKNOWN);
}

/// An API server of another cluster, one that speaks no TLS, one that is no API server, and none at all.
#[test]
fn what_is_no_api_server_of_this_cluster_is_named_and_clients_are_served_without_pods() {
    let Some(server) = ApiServer::shared() else {
        return;
    };
    let none = web_page();
    let elsewhere = Authority::new("elsewhere");
    let cluster = |url: String, authority: Value| {
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": url, "certificate-authority": authority}}],
            "users": [{"name": "test", "user": {"token": "t"}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        })
    };
    let wrong = [
        (format!("https://{}", server.address()), json!(elsewhere.file()), "another authority"),
        (format!("https://{none}"), json!(server.authority_file()), "speaks no TLS"),
        (format!("http://{none}"), Value::Null, "does not answer as a Kubernetes API does"),
        (format!("https://{}", closed_port()), json!(server.authority_file()), "cannot be reached"),
    ];
    std::thread::scope(|scope| {
        for (number, (url, authority, said)) in wrong.into_iter().enumerate() {
            let config = server.folder().join(format!("wrong-{number}"));
            std::fs::write(&config, cluster(url.clone(), authority).to_string()).unwrap();
            scope.spawn(move || {
                let watching = Watching::begin(&config, "    wait_for_metadata_timeout: 1ms\n");
                let line = watching.served.wait_for_log(said);
                assert!(line.contains(&url), "{url}: {line}");
                watching.wait_until_ready();
                assert_eq!(watching.stamped(&[("host.name", "web-1")]), UNKNOWN);
            });
        }
    });
}

#[test]
fn a_kubeconfig_that_cannot_be_used_is_named_and_read_again() {
    let Some(server) = ApiServer::shared() else {
        return;
    };
    let shop = server.namespace();
    let pod = shop.running("web-1", &shop.address(1));
    let good = std::fs::read(shop.reader("podstamp").kube_config()).unwrap();
    let unusable = [("absent", None), ("text", Some("not: [a kubeconfig")), ("empty", Some(""))];
    std::thread::scope(|scope| {
        for (name, text) in unusable {
            let config = server.folder().join(format!("kubeconfig-{name}-{}", shop.name));
            if let Some(text) = text {
                std::fs::write(&config, text).unwrap();
            }
            let (shop, good, pod) = (&shop, &good, &pod);
            scope.spawn(move || {
                let lines = format!("{}    wait_for_metadata: true\n", within(&shop.name));
                let watching = Watching::begin(&config, &lines);
                let line = watching.served.wait_for_log("kubernetes-config");
                assert!(line.contains(&config.display().to_string()), "{line}");
                assert_eq!(watching.readiness().0, 503);
                std::fs::write(&config, good).unwrap();
                watching.wait_until_ready();
                watching.wait_for(&pod.uid, &[&shop.address(1)]);
            });
        }
    });
}

/// A server that answers whatever comes with a page.
fn web_page() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let page = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello";
            let _ = stream.write_all(page.as_bytes());
        }
    });
    address
}

/// Makes of the folder `$MOUNTED` what the kubelet mounts, for the command alone.
const MOUNT: &str = r#"
    mount -t tmpfs none /run && mkdir -p /run/secrets/kubernetes.io/serviceaccount &&
    mount --bind "$MOUNTED" /run/secrets/kubernetes.io/serviceaccount && exec "$@"
"#;
