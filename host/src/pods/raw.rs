//! A pod as Kubernetes writes it, cut down to what the directory needs. No field is required: one that a pod lacks must not
//! cost the others.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A pod, or another thing that stands in a list.
#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a mapping")]
pub(super) struct Item {
    pub(super) kind: Option<String>,
    pub(super) metadata: Option<Metadata>,
    pub(super) spec: Option<Spec>,
    pub(super) status: Option<Status>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a mapping", rename_all = "camelCase")]
pub(super) struct Metadata {
    pub(super) name: Option<String>,
    pub(super) namespace: Option<String>,
    pub(super) uid: Option<String>,
    pub(super) resource_version: Option<String>,
    pub(super) creation_timestamp: Option<String>,
    pub(super) deletion_timestamp: Option<String>,
    pub(super) labels: Option<BTreeMap<String, String>>,
    pub(super) annotations: Option<BTreeMap<String, String>>,
    pub(super) owner_references: Option<Vec<Owner>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a mapping")]
pub(super) struct Owner {
    pub(super) kind: Option<String>,
    pub(super) name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a mapping", rename_all = "camelCase")]
pub(super) struct Spec {
    pub(super) node_name: Option<String>,
    pub(super) hostname: Option<String>,
    pub(super) host_network: Option<bool>,
    pub(super) containers: Option<Vec<Container>>,
    pub(super) init_containers: Option<Vec<Container>>,
    pub(super) ephemeral_containers: Option<Vec<Container>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a mapping")]
pub(super) struct Container {
    pub(super) name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a mapping", rename_all = "camelCase")]
pub(super) struct Status {
    pub(super) phase: Option<String>,
    #[serde(rename = "podIP")]
    pub(super) pod_ip: Option<String>,
    #[serde(rename = "podIPs")]
    pub(super) pod_ips: Option<Vec<Address>>,
    #[serde(rename = "hostIP")]
    pub(super) host_ip: Option<String>,
    #[serde(rename = "hostIPs")]
    pub(super) host_ips: Option<Vec<Address>>,
    pub(super) start_time: Option<String>,
    pub(super) container_statuses: Option<Vec<ContainerStatus>>,
    pub(super) init_container_statuses: Option<Vec<ContainerStatus>>,
    pub(super) ephemeral_container_statuses: Option<Vec<ContainerStatus>>,
}

/// A container's state. Where it was restarted, the last state has its former id.
#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a mapping", rename_all = "camelCase")]
pub(super) struct ContainerStatus {
    pub(super) name: Option<String>,
    #[serde(rename = "containerID")]
    pub(super) container_id: Option<String>,
    pub(super) last_state: Option<LastState>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a mapping")]
pub(super) struct LastState {
    pub(super) terminated: Option<Terminated>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a mapping")]
pub(super) struct Terminated {
    #[serde(rename = "containerID")]
    pub(super) container_id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a mapping")]
pub(super) struct Address {
    pub(super) ip: Option<String>,
}

impl Metadata {
    /// The Deployment that owns the pod through a ReplicaSet. Its controller names the ReplicaSet after itself and the
    /// hash that it also puts on the pods as a label; a ReplicaSet that stands alone has no such label.
    pub(super) fn deployment(&self) -> Option<&str> {
        let hash = self.labels.as_ref()?.get("pod-template-hash")?;
        let owner = self
            .owner_references
            .iter()
            .flatten()
            .find(|owner| owner.kind.as_deref() == Some("ReplicaSet"))?;
        let replica_set = owner.name.as_deref()?;
        replica_set
            .strip_suffix(hash.as_str())
            .and_then(|name| name.strip_suffix('-'))
            .or_else(|| without_hash(replica_set))
            .filter(|name| !name.is_empty())
    }
}

impl Spec {
    /// Names of all containers.
    pub(super) fn containers(&self) -> impl Iterator<Item = &str> {
        let lists = [&self.containers, &self.init_containers, &self.ephemeral_containers];
        lists.into_iter().flatten().flatten().filter_map(|container| container.name.as_deref())
    }
}

impl Status {
    /// Names and ids of all containers, former ids as well.
    pub(super) fn containers(&self) -> impl Iterator<Item = (&str, &str)> {
        let lists =
            [&self.container_statuses, &self.init_container_statuses, &self.ephemeral_container_statuses];
        lists.into_iter().flatten().flatten().flat_map(|status| {
            let last = status.last_state.as_ref().and_then(|state| state.terminated.as_ref());
            let name = status.name.as_deref().unwrap_or_default();
            let former = last.and_then(|last| last.container_id.as_deref());
            [status.container_id.as_deref(), former].into_iter().flatten().map(move |id| (name, id))
        })
    }

    /// All addresses of the pod, the primary one first.
    pub(super) fn addresses(&self) -> impl Iterator<Item = &str> {
        all(self.pod_ip.as_ref(), self.pod_ips.as_ref())
    }

    /// All addresses of the pod's node.
    pub(super) fn node_addresses(&self) -> impl Iterator<Item = &str> {
        all(self.host_ip.as_ref(), self.host_ips.as_ref())
    }
}

fn all<'a>(first: Option<&'a String>, list: Option<&'a Vec<Address>>) -> impl Iterator<Item = &'a str> {
    let list = list.into_iter().flatten().filter_map(|address| address.ip.as_deref());
    first.map(String::as_str).into_iter().chain(list).filter(|text| !text.is_empty())
}

/// `^(.*)-[0-9a-zA-Z]+$`: what the Collector strips.
fn without_hash(replica_set: &str) -> Option<&str> {
    let (name, hash) = replica_set.rsplit_once('-')?;
    (!hash.is_empty() && hash.bytes().all(|byte| byte.is_ascii_alphanumeric())).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(owner: &str, name: &str, labels: &str) -> Option<String> {
        let text = format!(
            r#"{{"labels": {labels}, "ownerReferences": [{{"kind": "Other", "name": "x-1"}}, {{"kind": "{owner}", "name": "{name}"}}]}}"#
        );
        serde_json::from_str::<Metadata>(&text).unwrap().deployment().map(str::to_owned)
    }

    #[test]
    fn the_deployment_is_its_replica_sets_name_without_the_hash() {
        let hashed = r#"{"pod-template-hash": "6f7c9"}"#;
        assert_eq!(deployment("ReplicaSet", "shop-web-6f7c9", hashed).as_deref(), Some("shop-web"));
        assert_eq!(deployment("ReplicaSet", "shop-web-abcde", hashed).as_deref(), Some("shop-web"));
        assert_eq!(deployment("ReplicaSet", "shop_", hashed), None);
        assert_eq!(deployment("StatefulSet", "shop-web-6f7c9", hashed), None);
        assert_eq!(deployment("ReplicaSet", "shop-web", "{}"), None, "a ReplicaSet without a Deployment");
        assert_eq!(deployment("ReplicaSet", "shop-web", "null"), None);
    }
}
