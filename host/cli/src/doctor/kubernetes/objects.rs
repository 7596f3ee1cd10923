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
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::doctor) struct Mount {
    pub(in crate::doctor) name: String,
    pub(in crate::doctor) mount_path: String,
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
    /// Which entry is which file; without it each is the file of its name.
    pub(in crate::doctor) items: Option<Vec<Item>>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub(in crate::doctor) struct Item {
    pub(in crate::doctor) key: String,
    pub(in crate::doctor) path: String,
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
    pub(in crate::doctor) conditions: Option<Vec<Condition>>,
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
