//! What the filter's calls give back.

use podstamp_core::config::Fault;
use podstamp_core::interface::{
    Answer, Content, Edit, Edits, Encoding, Header, Level, Mended, Next, Notice, Outbound, Part, Prepared,
    Report, Signal, Upstream, Verdict,
};

use crate::macros::{choice, record};

/// What a host has to know once the filter is configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Names of the request headers that `prepare` reads; the host need not pass others.
    pub request_headers: Vec<String>,
    /// What a person should know about the configuration.
    pub notices: Vec<Notice>,
    /// Path and query of the request for pods; empty where the configuration asks for no pod.
    pub pods_path: String,
}

/// What the module has after a text of pods.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodsState {
    /// Pods in the table.
    pub pods: u32,
    /// The version of the table, to ask for what has changed since; empty: ask for all.
    pub version: String,
}

/// The first fault of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyFault {
    /// Offset in the body.
    pub offset: u32,
    /// Path of the message; empty for the request itself.
    pub path: String,
    /// What is wrong.
    pub message: String,
}

record!(Settings { request_headers, notices, pods_path });
record!(PodsState { pods, version });
record!(BodyFault { offset, path, message });
record!(Fault { path, message });
record!(Header { name, value });
record!(Notice { level, key, message });
record!(Upstream { url, headers, timeout });
record!(Part { end, spans, memory });
record!(Edit { offset, remove, insert });
record!(Edits { edits, inserted });
record!(Outbound { url, headers, timeout, copies, content, parts, encoding });
record!(Answer { status, headers, body, notice });
record!(Prepared { verdict, report, notices });
record!(Mended { body, texts });
record!(Report {
    resources,
    spans,
    address_kept,
    address_pipeline,
    address_pod_ip,
    address_pod,
    address_connection,
    address_unknown,
    address_contradicted,
    refused,
    kinds_cleared,
    resources_created,
    addresses_normalised,
    addresses_repaired,
    peers_renamed,
    spans_moved,
    spans_far,
    spans_senseless,
    names_cut,
    texts_mended,
    requests_split,
});

choice!(Signal { 0 => Traces, 1 => Metrics, 2 => Logs });
choice!(Encoding { 0 => Protobuf, 1 => Json, 2 => Grpc });
choice!(Level { 0 => Info, 1 => Warning, 2 => Error });
choice!(Content { 0 => Unchanged, 1 => Edited(edits), 2 => Replaced(body) });
choice!(Verdict { 0 => Forward(outbound), 1 => Answer(answer) });
choice!(Next { 0 => Answer(answer), 1 => Retry(after), 2 => Mend(mended) });
