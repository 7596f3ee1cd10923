//! What an examination of a request tells: how each of its resources came to its address, and its spans.

/// How much an examination tells. What goes beyond is counted and left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Examination {
    /// Whether spans are told with their attributes and the text of their status.
    pub payloads: bool,
    /// The most resources.
    pub resources: u32,
    /// The most spans, of all resources together.
    pub spans: u32,
    /// Bytes of the longest text that is told whole. Longer ones are cut between two characters.
    pub text: u32,
}

/// The result of an examination. It takes a few MiB at most, whatever its options allow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Examined {
    /// Why the body is refused, with the place in it. Resources behind that place are missing, and those ahead of it may be.
    pub fault: Option<String>,
    /// The resources, in the order of the request.
    pub resources: Vec<ExaminedResource>,
    /// Resources that are left out for the limits.
    pub resources_omitted: u32,
    /// Spans that are left out for the limits, those of omitted resources included.
    pub spans_omitted: u32,
}

/// One resource: what it said, what was made of it, and why. All texts are cut at [`Examination::text`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExaminedResource {
    /// `service.name` as it leaves; empty where it is missing.
    pub service: String,
    /// `service.namespace`.
    pub service_namespace: String,
    /// `service.instance.id`.
    pub service_instance: String,
    /// How the address was found.
    pub found: AddressSource,
    /// `app.host.ip` as it leaves.
    pub address: Option<String>,
    /// The pod that the resource was associated with or, where it was with none, the only pod that has the address, or that its claims
    /// lead to.
    pub pod: Option<ExaminedPod>,
    /// The address at the far end of the connection, as it was believed: trusted proxies are seen through.
    pub connection: Option<String>,
    /// The attributes that identify a pod or could have, as the resource came. At most 64.
    pub claims: Vec<ExaminedAttribute>,
    /// What is different as the resource leaves, sorted by key. At most 64.
    pub changes: Vec<ExaminedChange>,
    /// What the pod directory was asked, in order, each once. At most 64.
    pub lookups: Vec<ExaminedLookup>,
    /// What the OpenTelemetry Collector would have made of it.
    pub collector: CollectorStamp,
    /// How many spans the resource has, those that are left out included.
    pub spans_total: u32,
    /// Its spans as they leave; none for metrics and logs.
    pub spans: Vec<ExaminedSpan>,
}

/// How the address of a resource was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AddressSource {
    /// The resource came with it.
    Kept,
    /// The configured pipeline stamped it.
    Pipeline,
    /// It was repaired from `k8s.pod.ip`.
    PodIp,
    /// It was repaired from the pod.
    Pod,
    /// It was repaired from the connection.
    Connection,
    /// No address was found.
    Unknown,
    /// Only pods were found that the resource itself contradicts.
    Contradicted,
    /// Nothing has written or checked an address: the guard is off, and the resource has no usable one.
    #[default]
    Untouched,
}

/// A pod. Parts that the configuration does not have the directory know are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExaminedPod {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.uid`.
    pub uid: String,
    /// `spec.nodeName`.
    pub node: String,
    /// All of `status.podIPs`.
    pub addresses: Vec<String>,
    /// `spec.hostNetwork`: the addresses are the node's.
    pub host_network: bool,
}

/// An attribute. Values that are not texts are written as the Collector writes them, large arrays and maps as `[...]` and `{...}`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExaminedAttribute {
    /// The key.
    pub key: String,
    /// The value as text.
    pub value: String,
}

/// An attribute that leaves otherwise than it came. Several values of one key are joined by a comma.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExaminedChange {
    /// The key.
    pub key: String,
    /// The value as it came; `None` where there was none.
    pub before: Option<String>,
    /// The value as it leaves; `None` where there is none.
    pub after: Option<String>,
}

/// A question to the pod directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExaminedLookup {
    /// The conditions, all of which the pod had to meet, as `k8s.pod.uid=...`.
    pub terms: Vec<String>,
    /// The answer.
    pub answer: LookupAnswer,
    /// The pod that was found, as `namespace/name`.
    pub pod: Option<String>,
}

/// The kinds of answer of the pod directory: those of [`Lookup`](crate::directory::Lookup).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LookupAnswer {
    /// Exactly one pod.
    Found,
    /// More than one pod.
    Ambiguous,
    /// No pod, but the address asked for is a node's.
    Node,
    /// A pod that is not to be found, because of its annotation.
    Ignored,
    /// No pod, and the table covers the whole cluster.
    Absent,
    /// No pod in a table that does not cover the cluster.
    #[default]
    Unknown,
}

/// What the OpenTelemetry Collector, with the same configuration, would have stamped: its `k8sattributes` goes by the first entry of
/// `pod_association` that has all its values, whether that finds a pod or not, believes whatever a resource says, and takes the TCP
/// peer for the client. There is no guard in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CollectorStamp {
    /// `app.host.ip`. `None`: it would have left without one, and deepflow-agent puts in the address of who sent the request.
    pub address: Option<String>,
    /// The pod, as `namespace/name`; [`CollectorStamp::SEVERAL`] where it would have taken any one of several.
    pub pod: Option<String>,
}

impl CollectorStamp {
    /// In place of a pod: several meet what the Collector looks for, and it takes the one that it heard of last.
    pub const SEVERAL: &'static str = "one of several pods";
}

/// One span, as it leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExaminedSpan {
    /// `trace_id`: 16 bytes, unless the client is wrong; at most 32.
    pub trace_id: Vec<u8>,
    /// `span_id`: 8 bytes, unless the client is wrong; at most 32.
    pub span_id: Vec<u8>,
    /// `parent_span_id`; empty for a root.
    pub parent_span_id: Vec<u8>,
    /// The name.
    pub name: String,
    /// The number of the kind, 0 to 5 behind the guard.
    pub kind: u32,
    /// When the span began, nanoseconds since 1970.
    pub start: u64,
    /// When the span ended, nanoseconds since 1970.
    pub end: u64,
    /// Whether the status says that the span failed.
    pub error: bool,
    /// The text of the status; only with [`Examination::payloads`].
    pub status_message: String,
    /// The attributes, at most 128 of them; only with [`Examination::payloads`].
    pub attributes: Vec<ExaminedAttribute>,
}
