//! Objects of the API, as far as they are read.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A page of a list.
#[derive(Debug, Deserialize)]
pub(in crate::doctor) struct List<T> {
    #[serde(default)]
    pub(in crate::doctor) metadata: ListMetadata,
    /// `None` where Go had no list at all.
    pub(in crate::doctor) items: Option<Vec<T>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::doctor) struct ListMetadata {
    #[serde(rename = "continue")]
    pub(in crate::doctor) token: Option<String>,
    pub(in crate::doctor) remaining_item_count: Option<u64>,
}

impl<T> List<T> {
    pub(in crate::doctor) fn into_items(self) -> Vec<T> {
        self.items.unwrap_or_default()
    }
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub(in crate::doctor) struct Metadata {
    pub(in crate::doctor) name: String,
    pub(in crate::doctor) namespace: String,
    pub(in crate::doctor) labels: Option<BTreeMap<String, String>>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub(in crate::doctor) struct Pod {
    pub(in crate::doctor) metadata: Metadata,
    pub(in crate::doctor) spec: PodSpec,
    pub(in crate::doctor) status: PodStatus,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::doctor) struct PodSpec {
    pub(in crate::doctor) node_name: Option<String>,
    pub(in crate::doctor) host_network: Option<bool>,
    pub(in crate::doctor) service_account_name: Option<String>,
    pub(in crate::doctor) containers: Vec<Container>,
    pub(in crate::doctor) volumes: Option<Vec<Volume>>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::doctor) struct Container {
    pub(in crate::doctor) args: Option<Vec<String>>,
    pub(in crate::doctor) env: Option<Vec<Variable>>,
    pub(in crate::doctor) volume_mounts: Option<Vec<Mount>>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub(in crate::doctor) struct Variable {
    pub(in crate::doctor) name: String,
    pub(in crate::doctor) value: Option<String>,
    #[serde(rename = "valueFrom")]
    pub(in crate::doctor) source: Option<VariableSource>,
}

/// Where a variable's value comes from, if that is the pod itself.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::doctor) struct VariableSource {
    pub(in crate::doctor) field_ref: Option<FieldReference>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::doctor) struct FieldReference {
    pub(in crate::doctor) field_path: String,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::doctor) struct Mount {
    pub(in crate::doctor) name: String,
    pub(in crate::doctor) mount_path: String,
    /// The one file of the volume that is mounted.
    pub(in crate::doctor) sub_path: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::doctor) struct Volume {
    pub(in crate::doctor) name: String,
    pub(in crate::doctor) config_map: Option<ConfigMapVolume>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub(in crate::doctor) struct ConfigMapVolume {
    pub(in crate::doctor) name: String,
    /// The entries that are there, under other names. `None`: all, under their own.
    pub(in crate::doctor) items: Option<Vec<RenamedEntry>>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub(in crate::doctor) struct RenamedEntry {
    pub(in crate::doctor) key: String,
    pub(in crate::doctor) path: String,
}

impl ConfigMapVolume {
    /// The entry that a file of the volume has.
    fn entry(&self, file: &str) -> Option<String> {
        match &self.items {
            None => Some(file.to_owned()),
            Some(items) => items.iter().find(|item| item.path == file).map(|item| item.key.clone()),
        }
    }
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub(in crate::doctor) struct Named {
    pub(in crate::doctor) name: String,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::doctor) struct PodStatus {
    pub(in crate::doctor) phase: Option<String>,
    #[serde(rename = "podIP")]
    pub(in crate::doctor) pod_ip: Option<String>,
    #[serde(rename = "hostIP")]
    pub(in crate::doctor) host_ip: Option<String>,
    pub(in crate::doctor) conditions: Option<Vec<Condition>>,
    pub(in crate::doctor) container_statuses: Option<Vec<ContainerStatus>>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub(in crate::doctor) struct ContainerStatus {
    pub(in crate::doctor) state: ContainerState,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub(in crate::doctor) struct ContainerState {
    pub(in crate::doctor) waiting: Option<Waiting>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub(in crate::doctor) struct Waiting {
    /// For example `CrashLoopBackOff`.
    pub(in crate::doctor) reason: String,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::doctor) struct Condition {
    #[serde(rename = "type")]
    pub(in crate::doctor) kind: String,
    pub(in crate::doctor) status: String,
}

impl Pod {
    /// Whether it has ended, so that it counts for nothing any more.
    pub(in crate::doctor) fn has_ended(&self) -> bool {
        matches!(self.status.phase.as_deref(), Some("Succeeded" | "Failed"))
    }

    pub(in crate::doctor) fn is_ready(&self) -> bool {
        let mut conditions = self.status.conditions.iter().flatten();
        conditions.any(|condition| condition.kind == "Ready" && condition.status == "True")
    }

    /// Why it is not ready, as far as it says: the reason of a container that waits, else its phase.
    pub(in crate::doctor) fn waits_for(&self) -> &str {
        let states = self.status.container_statuses.iter().flatten();
        let mut reasons = states.filter_map(|status| Some(status.state.waiting.as_ref()?.reason.as_str()));
        let phase = self.status.phase.as_deref();
        reasons.find(|reason| !reason.is_empty()).or(phase).unwrap_or("unknown")
    }

    /// The value of a field that a variable may refer to.
    fn field(&self, path: &str) -> Option<&str> {
        match path {
            "metadata.name" => Some(&self.metadata.name),
            "metadata.namespace" => Some(&self.metadata.namespace),
            "spec.nodeName" => self.node(),
            "spec.serviceAccountName" => self.spec.service_account_name.as_deref(),
            "status.podIP" => self.status.pod_ip.as_deref(),
            "status.hostIP" => self.status.host_ip.as_deref(),
            _ => None,
        }
    }

    /// The value that a variable has in its containers, as far as the object tells. Those out of Secrets and ConfigMaps stay
    /// unknown.
    pub(in crate::doctor) fn variable(&self, name: &str) -> Option<String> {
        let variables = self.spec.containers.iter().flat_map(|container| container.env.iter().flatten());
        let mut named = variables.filter(|variable| variable.name == name);
        named.find_map(|Variable { value, source, .. }| {
            let field = source.as_ref().and_then(|source| source.field_ref.as_ref());
            let referred = field.and_then(|field| self.field(&field.field_path));
            value.clone().or_else(|| referred.map(str::to_owned))
        })
    }

    /// The ConfigMap and its entry that a path in its containers leads to. `None`: the file comes from elsewhere.
    pub(in crate::doctor) fn config_map_at(&self, path: &str) -> Option<(String, String)> {
        let mounts =
            self.spec.containers.iter().flat_map(|container| container.volume_mounts.iter().flatten());
        let file = |mount: &Mount| {
            let below = path.strip_prefix(mount.mount_path.trim_end_matches('/'))?;
            match &mount.sub_path {
                Some(file) if below.is_empty() => Some(file.clone()),
                Some(_) => None,
                None => below.strip_prefix('/').map(str::to_owned),
            }
        };
        // The innermost mount is what one sees.
        let found = mounts.filter_map(|mount| Some((mount, file(mount)?)));
        let (mount, file) = found.max_by_key(|(mount, _)| mount.mount_path.len())?;
        let volume = self.spec.volumes.iter().flatten().find(|volume| volume.name == mount.name)?;
        let config_map = volume.config_map.as_ref()?;
        Some((config_map.name.clone(), config_map.entry(&file)?))
    }

    pub(in crate::doctor) fn has_address(&self) -> bool {
        self.status.pod_ip.as_ref().is_some_and(|address| !address.is_empty())
    }

    pub(in crate::doctor) fn node(&self) -> Option<&str> {
        self.spec.node_name.as_deref().filter(|name| !name.is_empty())
    }
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub(in crate::doctor) struct Service {
    pub(in crate::doctor) metadata: Metadata,
    pub(in crate::doctor) spec: ServiceSpec,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::doctor) struct ServiceSpec {
    #[serde(rename = "type")]
    pub(in crate::doctor) kind: Option<String>,
    pub(in crate::doctor) ports: Option<Vec<ServicePort>>,
    pub(in crate::doctor) selector: Option<BTreeMap<String, String>>,
    pub(in crate::doctor) internal_traffic_policy: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::doctor) struct ServicePort {
    pub(in crate::doctor) name: Option<String>,
    pub(in crate::doctor) port: u16,
    pub(in crate::doctor) target_port: Option<PortReference>,
}

/// A port by its number or by its name in the pod.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(untagged)]
pub(in crate::doctor) enum PortReference {
    Number(u16),
    Name(String),
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub(in crate::doctor) struct EndpointSlice {
    pub(in crate::doctor) endpoints: Option<Vec<Endpoint>>,
    pub(in crate::doctor) ports: Option<Vec<EndpointPort>>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::doctor) struct Endpoint {
    pub(in crate::doctor) addresses: Option<Vec<String>>,
    pub(in crate::doctor) conditions: EndpointConditions,
    pub(in crate::doctor) node_name: Option<String>,
    pub(in crate::doctor) target_ref: Option<Named>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub(in crate::doctor) struct EndpointConditions {
    /// What is not said counts as ready.
    pub(in crate::doctor) ready: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub(in crate::doctor) struct EndpointPort {
    pub(in crate::doctor) name: Option<String>,
    pub(in crate::doctor) port: Option<u16>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub(in crate::doctor) struct ConfigMap {
    pub(in crate::doctor) metadata: Metadata,
    pub(in crate::doctor) data: Option<BTreeMap<String, String>>,
}

/// A text as a part of a query.
pub(in crate::doctor) fn escaped(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

/// A label selector that wants all of these.
pub(in crate::doctor) fn selector(labels: &BTreeMap<String, String>) -> String {
    let terms: Vec<_> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    terms.join(",")
}
