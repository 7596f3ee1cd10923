//! Who may do what: ServiceAccounts, their rights, their tokens, and the files that clients find those in.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use super::ApiServer;
use crate::wait_until;

/// Of the one who may do everything.
pub const ADMIN_TOKEN: &str = "admin-token";

/// A ServiceAccount that was created for a test. It may do nothing until it is granted something.
pub struct ServiceAccount<'a> {
    server: &'a ApiServer,
    pub namespace: String,
    pub name: String,
}

impl ApiServer {
    /// Creates a ServiceAccount in a namespace that there is.
    pub fn service_account(&self, namespace: &str, name: &str) -> ServiceAccount<'_> {
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts");
        self.create(&path, &json!({"metadata": {"name": name}}));
        ServiceAccount { server: self, namespace: namespace.to_owned(), name: name.to_owned() }
    }

    /// A kubeconfig for its administrator.
    pub fn admin_config(&self) -> PathBuf {
        self.kube_config(&json!({"token": ADMIN_TOKEN}))
    }

    /// A kubeconfig for a user, in the form that a kubeconfig has: `{"token": …}`, `{"tokenFile": …}`.
    pub fn kube_config(&self, user: &Value) -> PathBuf {
        self.kube_config_by(self.address, user)
    }

    /// The same by an address where something passes everything on to the server.
    pub fn kube_config_by(&self, address: SocketAddr, user: &Value) -> PathBuf {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let file = format!("kubeconfig-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let file = self.folder().join(file);
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": {
                "server": format!("https://{address}"), "certificate-authority": self.authority_file(),
            }}],
            "users": [{"name": "test", "user": user}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "current-context": "test",
        });
        fs::write(&file, config.to_string()).unwrap();
        file
    }

    /// What the kubelet tells a container of where the API is.
    pub fn in_cluster_variables(&self) -> [(&'static str, String); 2] {
        let (host, port) = (self.address.ip().to_string(), self.address.port().to_string());
        [("KUBERNETES_SERVICE_HOST", host), ("KUBERNETES_SERVICE_PORT", port)]
    }
}

impl ServiceAccount<'_> {
    /// The user that the API takes it for.
    pub fn user(&self) -> String {
        format!("system:serviceaccount:{}:{}", self.namespace, self.name)
    }

    /// Grants exactly these rules of a ClusterRole, in the whole cluster, and waits until they are in force.
    pub fn grant(&self, rules: &Value) {
        let name = self.role();
        let role = json!({"metadata": {"name": name}, "rules": rules});
        let binding = json!({
            "metadata": {"name": name},
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": name},
            "subjects": [{"kind": "ServiceAccount", "namespace": self.namespace, "name": self.name}],
        });
        for (kind, object) in [("clusterroles", role), ("clusterrolebindings", binding)] {
            let path = format!("/apis/{RBAC}/v1/{kind}");
            let (status, answer) = self.server.ask("POST", &path, Some(&object));
            if status == 409 {
                self.server.patch(&format!("{path}/{name}"), &object);
                continue;
            }
            assert_eq!(status, 201, "{answer}");
        }
        let texts = |value: &Value| -> Vec<String> {
            value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        for rule in rules.as_array().unwrap() {
            let groups = texts(&rule["apiGroups"]);
            for resource in texts(&rule["resources"]) {
                for verb in texts(&rule["verbs"]) {
                    wait_until("a right is in force", || self.may(&verb, &groups[0], &resource));
                }
            }
        }
    }

    /// Grants what podstamp needs.
    pub fn grant_pods(&self) {
        self.grant(&json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]));
    }

    /// Takes back all that was granted, and waits until that is in force.
    pub fn revoke(&self) {
        let name = self.role();
        self.server.delete(&format!("/apis/{RBAC}/v1/clusterrolebindings/{name}"));
        self.server.delete(&format!("/apis/{RBAC}/v1/clusterroles/{name}"));
        wait_until("the rights are gone", || !self.may("list", "", "pods"));
    }

    /// Whether it may do something in the whole cluster.
    pub fn may(&self, verb: &str, group: &str, resource: &str) -> bool {
        let review = json!({"spec": {"user": self.user(), "resourceAttributes": {
            "verb": verb, "group": group, "resource": resource,
        }}});
        let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
        self.server.create(path, &review)["status"]["allowed"] == true
    }

    /// A token of the shortest life that there is, ten minutes.
    pub fn token(&self) -> String {
        self.request_token(&json!({"expirationSeconds": 600}))
    }

    /// A token that is good for as long as a Secret is there, and the path of that Secret: whoever deletes it makes the
    /// token as bad as an expired one. A running server takes a token for up to ten seconds after it has seen it last.
    pub fn revocable_token(&self) -> (String, String) {
        let secrets = format!("/api/v1/namespaces/{}/secrets", self.namespace);
        let secret = self.server.create(&secrets, &json!({"metadata": {"generateName": "token-"}}));
        let (name, uid) = (&secret["metadata"]["name"], &secret["metadata"]["uid"]);
        let bound = json!({"kind": "Secret", "apiVersion": "v1", "name": name, "uid": uid});
        let token = self.request_token(&json!({"expirationSeconds": 600, "boundObjectRef": bound}));
        (token, format!("{secrets}/{}", name.as_str().unwrap()))
    }

    /// A kubeconfig with a token.
    pub fn kube_config(&self) -> PathBuf {
        self.server.kube_config(&json!({"token": self.token()}))
    }

    /// The folder that the kubelet would mount at /var/run/secrets/kubernetes.io/serviceaccount, with a token.
    pub fn in_cluster(&self) -> PathBuf {
        let folder = tempfile::Builder::new().prefix("serviceaccount-").tempdir_in(self.server.folder());
        let folder = folder.unwrap().keep();
        fs::copy(self.server.authority_file(), folder.join("ca.crt")).unwrap();
        fs::write(folder.join("namespace"), &self.namespace).unwrap();
        write_token(&folder.join("token"), &self.token());
        folder
    }

    fn request_token(&self, spec: &Value) -> String {
        let path = format!("/api/v1/namespaces/{}/serviceaccounts/{}/token", self.namespace, self.name);
        let answer = self.server.create(&path, &json!({"spec": spec}));
        answer["status"]["token"].as_str().expect("a token").to_owned()
    }

    fn role(&self) -> String {
        format!("{}-{}", self.namespace, self.name)
    }
}

/// Puts a token in the place of another one at once, as the kubelet does.
pub fn write_token(file: &Path, token: &str) {
    let beside = file.with_extension("new");
    fs::write(&beside, token).unwrap();
    fs::rename(beside, file).unwrap();
}

/// A file for `--token-auth-file`.
pub(super) fn static_tokens() -> String {
    format!("{ADMIN_TOKEN},admin,admin,\"system:masters\"\n")
}

const RBAC: &str = "rbac.authorization.k8s.io";
