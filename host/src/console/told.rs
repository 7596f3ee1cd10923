//! What the console tells, as the JSON that its page and `podstamp top` read.

use podstamp_core::interface::{AddressSource, LookupAnswer};
use serde::Serialize;

use crate::pods::explain::ExplainedPod;

/// `GET /console/services`.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Services {
    /// How much came, and how much of it was looked into.
    pub(crate) seen: Seen,
    /// Those without a pod first, then what is suspicious, then the latest.
    pub(crate) rows: Vec<Service>,
    /// How many rows had to make room for others.
    pub(crate) omitted: u64,
}

/// How much came since the start.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Seen {
    /// Requests for traces that the filter took.
    pub(crate) requests: u64,
    /// Spans in them.
    pub(crate) spans: u64,
    /// Requests that were examined.
    pub(crate) examined: u64,
}

/// A service's spans that were stamped in one way as one pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Service {
    /// Names the row, in hex; the same after a restart.
    pub(crate) id: String,
    /// `service.name`.
    pub(crate) service: String,
    /// `service.namespace`.
    pub(crate) service_namespace: String,
    /// The pod's name; empty where there is none.
    pub(crate) pod: String,
    /// The pod's namespace.
    pub(crate) pod_namespace: String,
    /// `app.host.ip` as it left; empty where there is none.
    pub(crate) address: String,
    /// How the address was found.
    pub(crate) found: String,
    /// Why the row looks wrong although there is an address.
    pub(crate) suspicious: Option<String>,
    /// Spans.
    pub(crate) spans: u64,
    /// Whether all of the spans were looked at; otherwise their number is an estimate.
    pub(crate) spans_exact: bool,
    /// When the first of the spans came.
    pub(crate) first_ms: u64,
    /// When the last of the spans came.
    pub(crate) last_ms: u64,
    /// From whom the last of them came.
    pub(crate) peer: String,
}

/// `GET /console/services/ID`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ServiceExplained {
    /// The row.
    pub(crate) row: Service,
    /// When the request came that tells all this.
    pub(crate) examined_ms: u64,
    /// What was found.
    #[serde(flatten)]
    pub(crate) explained: Explained,
}

/// Why the spans of a resource are stamped as they are.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Explained {
    /// One sentence that says so.
    pub(crate) verdict: String,
    /// The attributes that name a pod, as they came.
    pub(crate) claims: Vec<Attribute>,
    /// What was looked up, in order.
    pub(crate) lookups: Vec<Lookup>,
    /// What the filter changed in the resource.
    pub(crate) changes: Vec<Change>,
    /// The address at the far end, as far as it is believed.
    pub(crate) connection: Option<String>,
    /// The pod that the spans are stamped as.
    pub(crate) pod: Option<ExplainedPod>,
    /// What the Collector would have stamped with the same configuration.
    pub(crate) collector: Collector,
    /// What would make it right, or better.
    pub(crate) advice: Vec<Advice>,
}

/// An attribute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Attribute {
    /// The attribute's key.
    pub(crate) key: String,
    /// The value as text.
    pub(crate) value: String,
}

/// A lookup and what it gave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Lookup {
    /// What the pod had to have, all of it.
    pub(crate) terms: Vec<String>,
    /// `found`, `ambiguous`, `node`, `ignored`, `absent` or `unknown`.
    pub(crate) answer: &'static str,
    /// `NAMESPACE/NAME` of the pod that was found.
    pub(crate) pod: Option<String>,
}

/// A change of an attribute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Change {
    /// The attribute's key.
    pub(crate) key: String,
    /// The value as it came; `None` where there was none.
    pub(crate) before: Option<String>,
    /// The value as it left; `None` where it was removed.
    pub(crate) after: Option<String>,
}

/// What the Collector would have stamped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Collector {
    /// `app.host.ip`.
    pub(crate) address: Option<String>,
    /// `NAMESPACE/NAME` of the pod.
    pub(crate) pod: Option<String>,
    /// Whether that is something else than what podstamp stamped.
    pub(crate) differs: bool,
}

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Advice {
    /// What to do, in a few words.
    pub(crate) title: &'static str,
    /// Why, and where.
    pub(crate) text: String,
    /// YAML to copy.
    pub(crate) snippet: Option<String>,
}

/// `POST /console/rewrite`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Rewritten {
    /// `forward` or `refused`.
    pub(crate) verdict: &'static str,
    /// Why the request is refused, or what is left out.
    pub(crate) message: String,
    /// The resources, in order.
    pub(crate) resources: Vec<RewrittenResource>,
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
pub(crate) struct RewrittenResource {
    /// `service.name`.
    pub(crate) service: String,
    /// How the address was found.
    pub(crate) found: String,
    /// `app.host.ip` as it would leave; empty where there would be none.
    pub(crate) address: String,
    /// Spans of the resource.
    pub(crate) spans: u32,
    /// Why.
    #[serde(flatten)]
    pub(crate) explained: Explained,
}

/// `GET /console/traces`.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Traces {
    /// Traces that are kept.
    pub(crate) kept: usize,
    /// Bytes that they take.
    pub(crate) bytes: usize,
    /// The most bytes that they may take.
    pub(crate) capacity_bytes: usize,
    /// Traces that meet the query.
    pub(crate) matching: usize,
    /// The newest of them.
    pub(crate) traces: Vec<TraceSummary>,
}

/// A trace in a list.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct TraceSummary {
    /// The trace's id, in hex.
    pub(crate) id: String,
    /// The service of the root.
    pub(crate) service: String,
    /// The name of the root.
    pub(crate) name: String,
    /// All services, the root's first.
    pub(crate) services: Vec<String>,
    /// Spans that are kept.
    pub(crate) spans: usize,
    /// Spans with an error.
    pub(crate) errors: usize,
    /// Spans without a pod.
    pub(crate) unknown: usize,
    /// When it began, milliseconds since 1970.
    pub(crate) start_ms: f64,
    /// How long it took.
    pub(crate) duration_ms: f64,
    /// Whether every span's parent is there.
    pub(crate) complete: bool,
}

/// `GET /console/traces/ID`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Trace {
    /// The trace's id, in hex.
    pub(crate) id: String,
    /// When it began, nanoseconds since 1970, as text: too large for a number of JavaScript.
    pub(crate) start_ns: String,
    /// How long it took.
    pub(crate) duration_ns: u64,
    /// Whether spans were left out.
    pub(crate) omitted: bool,
    /// Where the trace is in Grafana or DeepFlow.
    pub(crate) link: Option<String>,
    /// The resources that spans refer to.
    pub(crate) resources: Vec<TraceResource>,
    /// The spans by their start.
    pub(crate) spans: Vec<TraceSpan>,
}

/// Where spans of a trace come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct TraceResource {
    /// `service.name`.
    pub(crate) service: String,
    /// `service.namespace`.
    pub(crate) service_namespace: String,
    /// The pod's name.
    pub(crate) pod: String,
    /// The pod's namespace.
    pub(crate) pod_namespace: String,
    /// `app.host.ip` as it left.
    pub(crate) address: String,
    /// How the address was found.
    pub(crate) found: String,
    /// The row of the services that explains it.
    pub(crate) row: Option<String>,
}

/// A span of a trace.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct TraceSpan {
    /// The span's id, in hex.
    pub(crate) id: String,
    /// The parent's id, in hex; empty at the root.
    pub(crate) parent: String,
    /// The span's name.
    pub(crate) name: String,
    /// `server`, `client`, `internal`, `producer`, `consumer` or `unspecified`.
    pub(crate) kind: &'static str,
    /// Nanoseconds after the trace's start.
    pub(crate) start_ns: u64,
    /// How long it took; 0 where it ends before it starts.
    pub(crate) duration_ns: u64,
    /// Whether its status is an error.
    pub(crate) error: bool,
    /// Index of the resource.
    pub(crate) resource: u32,
    /// The status' message, where payloads are shown.
    pub(crate) status: String,
    /// The attributes, where payloads are shown.
    pub(crate) attributes: Vec<Attribute>,
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
