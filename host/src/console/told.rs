//! What the console tells, as the JSON that its page and `podstamp top` read.

use podstamp_core::interface::{AddressSource, LookupAnswer};
use serde::{Deserialize, Serialize};

use crate::pods::explain::ExplainedPod;

/// `GET /console/services`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Services {
    /// How much came, and how much of it was looked into.
    pub seen: Seen,
    /// Those without a pod first, then what is suspicious, then the latest.
    pub rows: Vec<Service>,
    /// How many rows had to make room for others.
    pub omitted: u64,
}

/// How much came since the start.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Seen {
    /// Requests for traces that the filter took.
    pub requests: u64,
    /// Spans in them.
    pub spans: u64,
    /// Requests that were examined.
    pub examined: u64,
}

/// A service's spans that were stamped in one way as one pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// Names the row, in hex; the same after a restart.
    pub id: String,
    /// `service.name`.
    pub service: String,
    /// `service.namespace`.
    pub service_namespace: String,
    /// The pod's name; empty where there is none.
    pub pod: String,
    /// The pod's namespace.
    pub pod_namespace: String,
    /// `app.host.ip` as it left; empty where there is none.
    pub address: String,
    /// How the address was found.
    pub found: String,
    /// Why the row looks wrong although there is an address.
    pub suspicious: Option<String>,
    /// Spans.
    pub spans: u64,
    /// Whether all of the spans were looked at; otherwise their number is an estimate.
    pub spans_exact: bool,
    /// When the first of the spans came.
    pub first_ms: u64,
    /// When the last of the spans came.
    pub last_ms: u64,
    /// From whom the last of them came.
    pub peer: String,
}

/// `GET /console/services/ID`.
#[derive(Clone, Debug, Serialize)]
pub struct ServiceExplained {
    /// The row.
    pub row: Service,
    /// When the request came that tells all this.
    pub examined_ms: u64,
    /// What was found.
    #[serde(flatten)]
    pub explained: Explained,
}

/// Why the spans of a resource are stamped as they are.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Explained {
    /// One sentence that says so.
    pub verdict: String,
    /// The attributes that name a pod, as they came.
    pub claims: Vec<Attribute>,
    /// What was looked up, in order.
    pub lookups: Vec<Lookup>,
    /// What the filter changed in the resource.
    pub changes: Vec<Change>,
    /// The address at the far end, as far as it is believed.
    pub connection: Option<String>,
    /// The pod that the spans are stamped as.
    pub pod: Option<ExplainedPod>,
    /// What the Collector would have stamped with the same configuration.
    pub collector: Collector,
    /// What would make it right, or better.
    pub advice: Vec<Advice>,
}

/// An attribute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attribute {
    /// The attribute's key.
    pub key: String,
    /// The value as text.
    pub value: String,
}

/// A lookup and what it gave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lookup {
    /// What the pod had to have, all of it.
    pub terms: Vec<String>,
    /// `found`, `ambiguous`, `node`, `ignored`, `absent` or `unknown`.
    pub answer: &'static str,
    /// `NAMESPACE/NAME` of the pod that was found.
    pub pod: Option<String>,
}

/// A change of an attribute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The attribute's key.
    pub key: String,
    /// The value as it came; `None` where there was none.
    pub before: Option<String>,
    /// The value as it left; `None` where it was removed.
    pub after: Option<String>,
}

/// What the Collector would have stamped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Collector {
    /// `app.host.ip`.
    pub address: Option<String>,
    /// `NAMESPACE/NAME` of the pod.
    pub pod: Option<String>,
    /// Whether that is something else than what podstamp stamped.
    pub differs: bool,
}

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Advice {
    /// What to do, in a few words.
    pub title: &'static str,
    /// Why, and where.
    pub text: String,
    /// YAML to copy.
    pub snippet: Option<String>,
}

/// `POST /console/rewrite`.
#[derive(Clone, Debug, Serialize)]
pub struct Rewritten {
    /// `forward` or `refused`.
    pub verdict: &'static str,
    /// Why the request is refused, or what is left out.
    pub message: String,
    /// The resources, in order.
    pub resources: Vec<RewrittenResource>,
}

impl Rewritten {
    pub(super) fn new(fault: Option<String>, resources: Vec<RewrittenResource>, omitted: u32) -> Self {
        let verdict = if fault.is_some() { "refused" } else { "forward" };
        let message = match fault {
            Some(fault) => fault,
            None if omitted > 0 => format!("{omitted} more resources are not shown"),
            None if resources.is_empty() => "there is no resource in it".to_owned(),
            None => String::new(),
        };
        Self { verdict, message, resources }
    }
}

/// A resource of a pasted request.
#[derive(Clone, Debug, Serialize)]
pub struct RewrittenResource {
    /// `service.name`.
    pub service: String,
    /// How the address was found.
    pub found: String,
    /// `app.host.ip` as it would leave; empty where there would be none.
    pub address: String,
    /// Spans of the resource.
    pub spans: u32,
    /// Why.
    #[serde(flatten)]
    pub explained: Explained,
}

/// `GET /console/traces`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Traces {
    /// Traces that are kept.
    pub kept: usize,
    /// Bytes that they take.
    pub bytes: usize,
    /// The most bytes that they may take.
    pub capacity_bytes: usize,
    /// Traces that meet the query.
    pub matching: usize,
    /// The newest of them.
    pub traces: Vec<TraceSummary>,
}

/// A trace in a list.
#[derive(Clone, Debug, Serialize)]
pub struct TraceSummary {
    /// The trace's id, in hex.
    pub id: String,
    /// The service of the root.
    pub service: String,
    /// The name of the root.
    pub name: String,
    /// All services, the root's first.
    pub services: Vec<String>,
    /// Spans that are kept.
    pub spans: usize,
    /// Spans with an error.
    pub errors: usize,
    /// Spans without a pod.
    pub unknown: usize,
    /// When it began, milliseconds since 1970.
    pub start_ms: f64,
    /// How long it took.
    pub duration_ms: f64,
    /// Whether every span's parent is there.
    pub complete: bool,
}

/// `GET /console/traces/ID`.
#[derive(Clone, Debug, Serialize)]
pub struct Trace {
    /// The trace's id, in hex.
    pub id: String,
    /// When it began, nanoseconds since 1970, as text: too large for a number of JavaScript.
    pub start_ns: String,
    /// How long it took.
    pub duration_ns: u64,
    /// Whether spans were left out.
    pub omitted: bool,
    /// Where the trace is in Grafana or DeepFlow.
    pub link: Option<String>,
    /// The resources that spans refer to.
    pub resources: Vec<TraceResource>,
    /// The spans by their start.
    pub spans: Vec<TraceSpan>,
}

/// Where spans of a trace come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TraceResource {
    /// `service.name`.
    pub service: String,
    /// `service.namespace`.
    pub service_namespace: String,
    /// The pod's name.
    pub pod: String,
    /// The pod's namespace.
    pub pod_namespace: String,
    /// `app.host.ip` as it left.
    pub address: String,
    /// How the address was found.
    pub found: String,
    /// The row of the services that explains it.
    pub row: Option<String>,
}

/// A span of a trace.
#[derive(Clone, Debug, Serialize)]
pub struct TraceSpan {
    /// The span's id, in hex.
    pub id: String,
    /// The parent's id, in hex; empty at the root.
    pub parent: String,
    /// The span's name.
    pub name: String,
    /// `server`, `client`, `internal`, `producer`, `consumer` or `unspecified`.
    pub kind: &'static str,
    /// Nanoseconds after the trace's start.
    pub start_ns: u64,
    /// How long it took; 0 where it ends before it starts.
    pub duration_ns: u64,
    /// Whether its status is an error.
    pub error: bool,
    /// Index of the resource.
    pub resource: u32,
    /// The status' message, where payloads are shown.
    pub status: String,
    /// The attributes, where payloads are shown.
    pub attributes: Vec<Attribute>,
}

/// How an address was found, as the metrics name it.
pub(super) fn found(source: AddressSource) -> &'static str {
    match source {
        AddressSource::Kept => "kept",
        AddressSource::Pipeline => "pipeline",
        AddressSource::PodIp => "pod_ip",
        AddressSource::Pod => "pod",
        AddressSource::Connection => "connection",
        AddressSource::Unknown => "unknown",
        AddressSource::Contradicted => "contradicted",
        AddressSource::Untouched => "untouched",
    }
}

/// Whether what is [`found`] is no pod's address.
pub(super) fn is_unknown(found: &str) -> bool {
    matches!(found, "unknown" | "contradicted" | "untouched")
}

/// What a lookup gave.
pub(super) fn answer(answer: LookupAnswer) -> &'static str {
    match answer {
        LookupAnswer::Found => "found",
        LookupAnswer::Ambiguous => "ambiguous",
        LookupAnswer::Node => "node",
        LookupAnswer::Ignored => "ignored",
        LookupAnswer::Absent => "absent",
        LookupAnswer::Unknown => "unknown",
    }
}
