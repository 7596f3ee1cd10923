//! Kubernetes' messages, as far as they are read. Numbers are those of `generated.proto` in `k8s.io/api/core/v1` and
//! `k8s.io/apimachinery`; they never change.

use std::collections::BTreeMap;

use k8s_openapi::jiff::Timestamp;
use prost::Message;

use crate::pods::raw;

#[derive(Clone, PartialEq, Message)]
pub(super) struct WatchEvent {
    #[prost(string, tag = "1")]
    pub(super) r#type: String,
    #[prost(message, optional, tag = "2")]
    pub(super) object: Option<RawExtension>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct RawExtension {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) raw: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Unknown {
    #[prost(bytes = "vec", tag = "2")]
    pub(super) raw: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Status {
    #[prost(string, tag = "3")]
    pub(super) message: String,
    #[prost(int32, tag = "6")]
    pub(super) code: i32,
}

/// A pod of which only the identity is read.
#[derive(Clone, PartialEq, Message)]
pub(super) struct BarePod {
    #[prost(message, optional, tag = "1")]
    pub(super) metadata: Option<ObjectMeta>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Pod {
    #[prost(message, optional, tag = "1")]
    pub(super) metadata: Option<ObjectMeta>,
    #[prost(message, optional, tag = "2")]
    pub(super) spec: Option<PodSpec>,
    #[prost(message, optional, tag = "3")]
    pub(super) status: Option<PodStatus>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ObjectMeta {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "3")]
    pub(super) namespace: String,
    #[prost(string, tag = "5")]
    pub(super) uid: String,
    #[prost(string, tag = "6")]
    pub(super) resource_version: String,
    #[prost(message, optional, tag = "8")]
    pub(super) creation_timestamp: Option<Time>,
    #[prost(message, optional, tag = "9")]
    pub(super) deletion_timestamp: Option<Time>,
    #[prost(btree_map = "string, string", tag = "11")]
    pub(super) labels: BTreeMap<String, String>,
    #[prost(btree_map = "string, string", tag = "12")]
    pub(super) annotations: BTreeMap<String, String>,
    #[prost(message, repeated, tag = "13")]
    pub(super) owner_references: Vec<OwnerReference>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct OwnerReference {
    #[prost(string, tag = "1")]
    pub(super) kind: String,
    #[prost(string, tag = "3")]
    pub(super) name: String,
}

/// Seconds since 1970. Kubernetes writes no fractions of them in JSON either.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Time {
    #[prost(int64, tag = "1")]
    pub(super) seconds: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct PodSpec {
    #[prost(message, repeated, tag = "2")]
    pub(super) containers: Vec<Container>,
    #[prost(string, tag = "10")]
    pub(super) node_name: String,
    #[prost(bool, tag = "11")]
    pub(super) host_network: bool,
    #[prost(string, tag = "16")]
    pub(super) hostname: String,
    #[prost(message, repeated, tag = "20")]
    pub(super) init_containers: Vec<Container>,
    #[prost(message, repeated, tag = "34")]
    pub(super) ephemeral_containers: Vec<EphemeralContainer>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Container {
    #[prost(string, tag = "1")]
    pub(super) name: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct EphemeralContainer {
    #[prost(message, optional, tag = "1")]
    pub(super) common: Option<Container>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct PodStatus {
    #[prost(string, tag = "1")]
    pub(super) phase: String,
    #[prost(string, tag = "5")]
    pub(super) host_ip: String,
    #[prost(string, tag = "6")]
    pub(super) pod_ip: String,
    #[prost(message, optional, tag = "7")]
    pub(super) start_time: Option<Time>,
    #[prost(message, repeated, tag = "8")]
    pub(super) container_statuses: Vec<ContainerStatus>,
    #[prost(message, repeated, tag = "10")]
    pub(super) init_container_statuses: Vec<ContainerStatus>,
    #[prost(message, repeated, tag = "12")]
    pub(super) pod_ips: Vec<Address>,
    #[prost(message, repeated, tag = "13")]
    pub(super) ephemeral_container_statuses: Vec<ContainerStatus>,
    #[prost(message, repeated, tag = "16")]
    pub(super) host_ips: Vec<Address>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Address {
    #[prost(string, tag = "1")]
    pub(super) ip: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ContainerStatus {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(message, optional, tag = "3")]
    pub(super) last_state: Option<ContainerState>,
    #[prost(string, tag = "8")]
    pub(super) container_id: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ContainerState {
    #[prost(message, optional, tag = "3")]
    pub(super) terminated: Option<Terminated>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Terminated {
    #[prost(string, tag = "7")]
    pub(super) container_id: String,
}

impl From<Pod> for raw::Item {
    fn from(Pod { metadata, spec, status }: Pod) -> Self {
        Self {
            kind: None,
            metadata: metadata.map(Into::into),
            spec: spec.map(Into::into),
            status: status.map(Into::into),
        }
    }
}

impl From<ObjectMeta> for raw::Metadata {
    fn from(meta: ObjectMeta) -> Self {
        let owners = meta.owner_references.into_iter();
        let owners = owners.map(|owner| raw::Owner { kind: given(owner.kind), name: given(owner.name) });
        Self {
            name: given(meta.name),
            namespace: given(meta.namespace),
            uid: given(meta.uid),
            resource_version: given(meta.resource_version),
            creation_timestamp: meta.creation_timestamp.and_then(Time::text),
            deletion_timestamp: meta.deletion_timestamp.and_then(Time::text),
            labels: Some(meta.labels),
            annotations: Some(meta.annotations),
            owner_references: Some(owners.collect()),
        }
    }
}

impl From<PodSpec> for raw::Spec {
    fn from(spec: PodSpec) -> Self {
        let all = |list: Vec<Container>| Some(list.into_iter().map(Into::into).collect());
        let ephemeral = spec.ephemeral_containers.into_iter().filter_map(|container| container.common);
        Self {
            node_name: given(spec.node_name),
            hostname: given(spec.hostname),
            host_network: Some(spec.host_network),
            containers: all(spec.containers),
            init_containers: all(spec.init_containers),
            ephemeral_containers: all(ephemeral.collect()),
        }
    }
}

impl From<Container> for raw::Container {
    fn from(container: Container) -> Self {
        Self { name: given(container.name) }
    }
}

impl From<PodStatus> for raw::Status {
    fn from(status: PodStatus) -> Self {
        let addresses = |list: Vec<Address>| {
            Some(list.into_iter().map(|address| raw::Address { ip: given(address.ip) }).collect())
        };
        let statuses = |list: Vec<ContainerStatus>| Some(list.into_iter().map(Into::into).collect());
        Self {
            phase: given(status.phase),
            pod_ip: given(status.pod_ip),
            pod_ips: addresses(status.pod_ips),
            host_ip: given(status.host_ip),
            host_ips: addresses(status.host_ips),
            start_time: status.start_time.and_then(Time::text),
            container_statuses: statuses(status.container_statuses),
            init_container_statuses: statuses(status.init_container_statuses),
            ephemeral_container_statuses: statuses(status.ephemeral_container_statuses),
        }
    }
}

impl From<ContainerStatus> for raw::ContainerStatus {
    fn from(status: ContainerStatus) -> Self {
        let terminated = status.last_state.and_then(|state| state.terminated);
        let terminated = terminated.map(|last| raw::Terminated { container_id: given(last.container_id) });
        Self {
            name: given(status.name),
            container_id: given(status.container_id),
            last_state: terminated.map(|last| raw::LastState { terminated: Some(last) }),
        }
    }
}

impl Time {
    /// The time as JSON has it; `None` for one that no calendar has.
    fn text(self) -> Option<String> {
        Timestamp::from_second(self.seconds).ok().map(|time| time.to_string())
    }
}

/// A text, unless it is empty: protobuf does not tell whether it was given.
fn given(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}
