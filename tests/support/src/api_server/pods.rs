//! Pods, and what scheduler, kubelet and controllers would do with them.

use std::sync::atomic::{AtomicU8, Ordering};

use serde_json::{Value, json};

use super::ApiServer;

/// A namespace of a test's own, with a /24 of addresses that no other test of the process has. It stays as long as the
/// server does: no controller is there that would empty it.
pub struct Namespace<'a> {
    pub server: &'a ApiServer,
    pub name: String,
    block: u8,
}

/// A pod that is not created yet.
pub struct NewPod<'a> {
    server: &'a ApiServer,
    namespace: String,
    object: Value,
}

/// A pod that was created.
pub struct Pod<'a> {
    server: &'a ApiServer,
    pub namespace: String,
    pub name: String,
    pub uid: String,
}

impl ApiServer {
    /// Makes a namespace.
    pub fn namespace(&self) -> Namespace<'_> {
        static BLOCK: AtomicU8 = AtomicU8::new(1);
        let created = self.create("/api/v1/namespaces", &json!({"metadata": {"generateName": "shop-"}}));
        let name = created["metadata"]["name"].as_str().unwrap().to_owned();
        Namespace { server: self, name, block: BLOCK.fetch_add(1, Ordering::Relaxed) }
    }
}

impl<'a> Namespace<'a> {
    /// One of its addresses.
    pub fn address(&self, host: u8) -> String {
        format!("10.244.{}.{host}", self.block)
    }

    /// One of its IPv6 addresses, as Kubernetes writes it.
    pub fn address_v6(&self, host: u8) -> String {
        format!("fd00:10:244:{:x}::{host:x}", self.block)
    }

    /// The address of a node that only this test knows.
    pub fn node_address(&self, node: u8) -> String {
        format!("192.168.{}.{node}", self.block)
    }

    /// A pod of one container `app`, on the node `node-1`.
    pub fn pod(&self, name: &str) -> NewPod<'a> {
        let object = json!({
            "metadata": {"name": name},
            "spec": {"nodeName": "node-1", "containers": [{"name": "app", "image": "registry.example.com/app:1.0"}]},
        });
        NewPod { server: self.server, namespace: self.name.clone(), object }
    }

    /// A pod that runs and has an address.
    pub fn running(&self, name: &str, address: &str) -> Pod<'a> {
        let pod = self.pod(name).create();
        pod.run(&[address], &self.node_address(1));
        pod
    }

    /// A ServiceAccount in it that may read pods.
    pub fn reader(&self, name: &str) -> super::ServiceAccount<'a> {
        let account = self.server.service_account(&self.name, name);
        account.grant_pods();
        account
    }
}

impl<'a> NewPod<'a> {
    /// Changes the object in any way, by a merge.
    pub fn with(mut self, change: impl FnOnce(&mut Value)) -> Self {
        change(&mut self.object);
        self
    }

    pub fn node(self, name: &str) -> Self {
        self.with(|pod| pod["spec"]["nodeName"] = name.into())
    }

    pub fn label(self, key: &str, value: &str) -> Self {
        self.with(|pod| pod["metadata"]["labels"][key] = value.into())
    }

    pub fn annotation(self, key: &str, value: &str) -> Self {
        self.with(|pod| pod["metadata"]["annotations"][key] = value.into())
    }

    /// On its node's network.
    pub fn host_network(self) -> Self {
        self.with(|pod| pod["spec"]["hostNetwork"] = true.into())
    }

    /// Its containers' names, in place of `app`.
    pub fn containers(self, names: &[&str]) -> Self {
        let container = |name: &&str| json!({"name": name, "image": "registry.example.com/app:1.0"});
        self.with(|pod| pod["spec"]["containers"] = names.iter().map(container).collect())
    }

    /// Who controls it: `ReplicaSet`, `StatefulSet`, `DaemonSet`, `Job`. Nobody checks that there is one.
    pub fn owner(self, kind: &str, name: &str) -> Self {
        let version = if kind == "Job" { "batch/v1" } else { "apps/v1" };
        self.with(|pod| {
            pod["metadata"]["ownerReferences"] = json!([{
                "apiVersion": version, "kind": kind, "name": name, "uid": format!("{name}-uid"), "controller": true,
            }]);
        })
    }

    pub fn create(self) -> Pod<'a> {
        let path = format!("/api/v1/namespaces/{}/pods", self.namespace);
        let created = self.server.create(&path, &self.object);
        let text = |key: &str| created["metadata"][key].as_str().unwrap().to_owned();
        let (name, uid) = (text("name"), text("uid"));
        Pod { server: self.server, namespace: self.namespace, name, uid }
    }
}

impl Pod<'_> {
    /// Says what a kubelet says once the pod runs: its addresses, the first of which is its podIP, and its node's.
    pub fn run(&self, addresses: &[&str], node: &str) {
        self.run_since(addresses, node, "2026-01-02T03:04:05Z");
    }

    /// The same for a pod that started at another time.
    pub fn run_since(&self, addresses: &[&str], node: &str, started: &str) {
        let ips: Vec<_> = addresses.iter().map(|address| json!({"ip": address})).collect();
        self.status(&json!({
            "phase": "Running", "startTime": started, "podIP": addresses[0], "podIPs": ips,
            "hostIP": node, "hostIPs": [{"ip": node}],
        }));
    }

    /// Says which containers run, by name and by id with the runtime's prefix, such as `containerd://…`.
    pub fn containers_run(&self, containers: &[(&str, &str)]) {
        self.status(&json!({"containerStatuses": container_statuses(containers)}));
    }

    /// Says that it ended: `Succeeded` or `Failed`. Its address stays in the object, and is free for the next pod.
    pub fn end(&self, phase: &str) {
        self.status(&json!({"phase": phase}));
    }

    /// Changes its status by a merge patch.
    pub fn status(&self, status: &Value) {
        self.server.patch(&format!("{}/status", self.path()), &json!({"status": status}));
    }

    /// Changes it by a merge patch.
    pub fn patch(&self, patch: &Value) {
        self.server.patch(&self.path(), patch);
    }

    /// What `kubectl delete pod` does: it is marked as to be deleted, and stays until its kubelet calls [`Pod::delete_now`].
    pub fn delete_gracefully(&self) {
        self.server.delete(&format!("{}?gracePeriodSeconds=30", self.path()));
    }

    /// Deletes it for good.
    pub fn delete_now(&self) {
        self.server.delete(&format!("{}?gracePeriodSeconds=0", self.path()));
    }

    /// As the API has it.
    pub fn object(&self) -> Value {
        self.server.get(&self.path())
    }

    fn path(&self) -> String {
        format!("/api/v1/namespaces/{}/pods/{}", self.namespace, self.name)
    }
}

/// An id as a runtime makes them: 64 digits, of which the first few tell one from the other.
pub fn container_id(number: u64) -> String {
    format!("{:016x}", (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)).repeat(4)
}

/// As `status.containerStatuses` has them; init and ephemeral containers have the same shape.
pub fn container_statuses(containers: &[(&str, &str)]) -> Value {
    let status = |(name, id): &(&str, &str)| {
        json!({
            "name": name, "containerID": id, "image": "registry.example.com/app:1.0",
            "imageID": "registry.example.com/app@sha256:0", "ready": true, "restartCount": 0,
            "state": {"running": {"startedAt": "2026-01-02T03:04:05Z"}},
        })
    };
    containers.iter().map(status).collect()
}
